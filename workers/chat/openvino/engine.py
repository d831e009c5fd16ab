"""The engine `openvino`: a model of OpenVINO GenAI on this machine's CPU or GPUs, in a process of its own.

It batches by itself, a step at a time for all that are under way (continuous batching), and keeps what prompts begin
with in a cache.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

from sightline.errors import JobCancelledError, ModelError, SettingsError
from sightline.local.supervisor import end_with_parent
from sightline.settings import Settings
from sightline.wire.models import LoadedModel
from workers.chat.engine import Answer, BadQuestionError, Question
from workers.chat.openvino.model_files import find_files, require_memory

log = logging.getLogger(__name__)

_EXIT_CODE: Final = 70


@dataclass(eq=False)
class _Asked:
    question: Question
    future: Future[Answer] = field(default_factory=Future[Answer])
    said: list[str] = field(default_factory=list[str])


class OpenVinoEngine:
    lets_stand = True

    def __init__(
        self,
        model: LoadedModel,
        arguments: dict[str, Any],
    ) -> None:
        """`arguments` are those of `model.ModelArguments`.

        Raises:
            ModelError: the model cannot be opened.
        """
        self.model = model
        self.most_at_once: int = arguments["most_at_once"]
        self._asked: dict[str, _Asked] = {}
        self._change = threading.Lock()
        self._numbers = itertools.count()
        self._is_closing = False
        self._process = _start(json.dumps(arguments))
        first = self._read_line()
        if "ready" not in first:
            self._process.communicate()
            raise ModelError(f"model {model.name!r}: {first.get('cannot', 'its process ended')}", model=model.name)
        self.context_tokens: int = first["ready"]["context_tokens"]
        self._reader = threading.Thread(target=self._read, name="chat-openvino", daemon=True)
        self._reader.start()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        if find_spec("openvino_genai") is None:
            raise SettingsError(
                "SIGHTLINE_CHAT_ENGINE: openvino needs openvino-genai, which is not installed: "
                "pip install -e '.[chat]', or name another engine"
            )
        files = find_files(settings.chat_model, settings)
        require_memory(files.path, settings)
        model = LoadedModel(name=files.name, sha256=files.sha256, runtime="openvino")
        return cls(model, arguments_of(settings, files.path))

    def begin(self, question: Question) -> Future[Answer]:
        question.check()
        if question.options.model not in (None, self.model.name):
            raise BadQuestionError(f"model: {question.options.model!r} is not here; this is {self.model.name!r}")
        asked, key = _Asked(question), next(self._numbers)
        options = question.options.model_dump(mode="json", exclude_unset=True)
        with self._change:
            self._asked[str(key)] = asked
        messages = list(question.messages)
        self._write({"ask": key, "messages": messages, "options": options, "gives_way": question.gives_way})
        question.when_called_off(lambda: self._write({"call_off": key}))
        return asked.future

    def close(self) -> None:
        self._is_closing = True
        assert self._process.stdin
        with self._change, suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()
        for asked in self._asked.values():
            asked.future.set_exception(JobCancelledError("the engine was closed"))

    def _write(self, line: dict[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        with self._change:
            if self._is_closing:
                return
            assert self._process.stdin
            try:
                self._process.stdin.write(data)
                self._process.stdin.flush()
            except BrokenPipeError:
                log.error("the process of the model does not read any more")  # `_read` sees its end

    def _read_line(self) -> dict[str, Any]:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline() or b"{}")

    def _read(self) -> None:
        while line := self._read_line():
            if not any(line.values()):  # a long prompt is read
                for asked in list(self._asked.values()):
                    asked.question.tell({})
            for key, text in line["said"].items():
                if asked := self._asked.get(key):
                    asked.said.append(text)
                    asked.question.tell({"text": text})
            for key, (reason, prompt_tokens, answer_tokens) in line["ended"].items():
                for asked in self._take([key]):
                    text = "".join(asked.said)
                    asked.future.set_result(Answer(text, reason, self.model.name, prompt_tokens, answer_tokens))
            for key, why in line["refused"].items():
                for asked in self._take([key]):
                    asked.future.set_exception(BadQuestionError(why))
            for asked in self._take(map(str, line["gone"])):
                asked.future.set_exception(JobCancelledError("the question was called off"))
        if not self._is_closing:
            _end_worker(f"the process of model {self.model.name!r} ended by itself ({self._process.wait()})")

    def _take(self, keys: Iterable[str]) -> list[_Asked]:
        """Those that are done with."""
        with self._change:
            found = [self._asked.pop(key, None) for key in keys]
        return [asked for asked in found if asked]


def arguments_of(settings: Settings, path: Path | None = None) -> dict[str, Any]:
    """How the settings want the model opened, as `model.ModelArguments` has it. `path`: of its files, if known."""
    properties = {"CACHE_DIR": str(settings.models_dir.expanduser() / "openvino-cache")} | settings.chat_properties
    if settings.threads and "CPU" in settings.chat_device:
        properties.setdefault("INFERENCE_NUM_THREADS", settings.threads)
    return {
        "path": str(path or find_files(settings.chat_model, settings).path),
        "device": settings.chat_device,
        "most_at_once": settings.chat_max_in_engine,
        "bulk_beside": settings.chat_bulk_beside,
        "cache_gb": settings.chat_cache_gb,
        "context_tokens": settings.chat_context_tokens or None,
        "properties": properties,
    }


def _start(arguments: str) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    # Who stops a worker may signal all its processes: this one ends when its input does, or with the worker.
    command = (*end_with_parent("KILL"), sys.executable, "-m", "workers.chat.openvino.process", arguments)
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,
    )


def _end_worker(why: str) -> None:
    """As if the model had ended this process: its messages come back one at a time, so that the guilty is found."""
    log.critical("%s; this worker ends too", why)
    logging.shutdown()
    os._exit(_EXIT_CODE)
