"""What a worker says of itself, and whether it fits its memory."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

import pytest

from sightline.cli.workers import _rows  # pyright: ignore[reportPrivateUsage]
from sightline.errors import SettingsError
from sightline.settings import load_settings
from sightline.wire.models import LoadedModel
from workers.housekeeping.placement import placement_of, require_fit
from workers.models.memory import GB, memory_held, memory_limit

pytestmark = pytest.mark.unit


class Chat:
    models: ClassVar = [LoadedModel(name="smollm2", sha256="", runtime="openvino")]
    runners: ClassVar[dict[str, Any]] = {}


class Write:
    runners: ClassVar[dict[str, Any]] = {}


def test_each_stage_is_told_with_its_model_and_device_and_the_process_with_its_memory() -> None:
    settings = load_settings(
        chat_device="GPU.1", chat_properties={"INFERENCE_PRECISION_HINT": "bf16"}, chat_concurrency=9
    )
    told = placement_of({"sightline.chat": Chat(), "sightline.write": Write()}, settings, 12)
    chat, write = told["stages"]
    assert chat == {
        "stage": "chat",
        "queue": "gpu.chat",
        "models": [{"name": "smollm2", "runtime": "openvino"}],
        "device": "GPU.1",
        "precision": "bf16",
        "concurrency": 9,
        "waiting_items": 0,
    }
    assert (write["stage"], write["models"], write["device"]) == ("write", [], "")
    assert (told["threads"], told["held_messages"]) == (12, 0)
    assert 0 < told["memory_bytes"] < told["memory_limit_bytes"]
    first, second = _rows("worker@here", {"version": "1", **told})
    assert (first["stage"], second["stage"], first["memory_mb"]) == ("chat", "write", round(told["memory_bytes"] / 1e6))
    (older,) = _rows("worker@here", {"version": "0"})
    assert (older["stage"], older["version"]) == (None, "0")


def test_one_that_does_not_fit_says_so() -> None:
    require_fit(load_settings(), "chat@here")
    with pytest.raises(
        SettingsError, match=r"SIGHTLINE_WORKER_MEMORY_GB: chat@here holds [\d.]+ GB with its models open"
    ):
        require_fit(load_settings(worker_memory_gb=0.001), "chat@here")
    assert memory_limit(0.5) == GB // 2
    assert memory_limit() <= memory_limit(0)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_what_its_processes_hold_counts_too() -> None:
    before = memory_held()
    hold = "import sys; held = bytearray(300_000_000); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert memory_held() - before > 250_000_000
        child.communicate()
