"""What is known of a chat model before it is opened."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from sightline.errors import ModelError, SettingsError
from sightline.settings import Settings
from workers.chat.openvino.context_length import context_length
from workers.chat.openvino.model_files import find_files, require_memory


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(path: Path, *entries: bytes) -> Path:
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, len(entries)) + b"".join(entries))
    return path


def test_the_context_is_the_files_own(tmp_path: Path) -> None:
    words = text("words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    name = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    length = text("llama.context_length") + struct.pack("<II", 4, 8192)
    assert context_length(gguf(tmp_path / "a.gguf", name, words, length)) == 8192
    assert context_length(gguf(tmp_path / "b.gguf", name)) is None
    cut = tmp_path / "c.gguf"
    cut.write_bytes(b"GGUF")
    assert context_length(cut) is None
    assert context_length(tmp_path / "none.gguf") is None
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {"max_position_embeddings": 512}}))
    assert context_length(tmp_path) == 512


def test_models_are_named_or_are_paths(tmp_path: Path) -> None:
    file = gguf(tmp_path / "mine.gguf")
    assert find_files(str(file), Settings()).name == "mine"
    with pytest.raises(ModelError, match=r"holds no openvino_model\.xml"):
        find_files(str(tmp_path), Settings())
    with pytest.raises(ModelError, match="unknown model 'smolm2'; did you mean smollm2"):
        find_files("smolm2", Settings())
    with pytest.raises(ModelError, match="'yolox-s' is of kind 'yolox'; name one of kind chat"):
        find_files("yolox-s", Settings())


def test_a_model_that_does_not_fit_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    file = gguf(tmp_path / "mine.gguf")
    require_memory(file, Settings())
    with pytest.raises(SettingsError, match=r"mine.gguf has 0.0 GB of weights, with a cache of 100000 GB .* of memory"):
        require_memory(file, Settings(chat_cache_gb=100_000))
    require_memory(file, Settings(chat_cache_gb=100_000, chat_device="GPU"))
