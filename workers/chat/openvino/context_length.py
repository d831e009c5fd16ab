"""How many tokens a model was trained to see, as its files say."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

#: By the type's number in a GGUF file; 8 is a text, 9 a list.
_NUMBERS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip


def context_length(model: Path) -> int | None:
    """Of a GGUF file, or of a folder that was prepared for OpenVINO; None: it does not say."""
    try:
        if model.is_dir():
            config = json.loads((model / "config.json").read_text("utf-8"))
            found = config.get("max_position_embeddings") or config.get("text_config", {}).get(
                "max_position_embeddings"
            )
        else:
            with model.open("rb") as file:
                found = _in_gguf(file)
    except (OSError, ValueError, struct.error):
        return None
    return found if isinstance(found, int) else None


def _in_gguf(file: BinaryIO) -> Any:
    magic, _, _, entries = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF":
        return None
    for _ in range(entries):
        name, kind = _text(file), _number(file, "<I")
        value = _value(file, kind)
        if name.endswith(b".context_length"):
            return value
    return None


def _value(file: BinaryIO, kind: int) -> Any:
    readers: dict[int, Callable[[], Any]] = {8: lambda: _text(file), 9: lambda: _list(file)}
    return readers[kind]() if kind in readers else _number(file, _NUMBERS[kind])


def _list(file: BinaryIO) -> None:
    kind, count = _number(file, "<I"), _number(file, "<Q")
    for _ in range(count):
        _value(file, kind)


def _text(file: BinaryIO) -> bytes:
    return file.read(_number(file, "<Q"))


def _number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]
