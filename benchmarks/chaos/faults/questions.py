"""Questions and recordings: who answers dies in the middle or hangs, and the server that it asks fails."""

from __future__ import annotations

import random
import time
from typing import ClassVar

from benchmarks.chaos.faults.fault import Dies, Fault, NotStruckError, wait_for
from benchmarks.chaos.machine.system import System
from benchmarks.chaos.switches import (
    DIE_BEFORE_ANSWER_FILE,
    DIE_IN_ANSWER_FILE,
    DIE_IN_SPEECH_FILE,
    HANG_FILE,
    HUNG_FILE,
    MODEL_MOOD_FILE,
    MOOD_MET_FILE,
)  # fmt: skip
from sightline.types import Pipeline


class KillAnswer(Dies):
    """It has said some words of an answer."""

    name, file, pipeline = "kill-answer", DIE_IN_ANSWER_FILE, Pipeline.CHAT


class KillBeforeAnswer(Dies):
    """What is needed for an answer has arrived in the ledger, and the message of the chat stage is not sent."""

    name, file, pipeline = "kill-before-answer", DIE_BEFORE_ANSWER_FILE, Pipeline.ASK


class KillSpeech(Dies):
    """It reads a piece of a recording."""

    name, file, pipeline = "kill-speech", DIE_IN_SPEECH_FILE, Pipeline.TRANSCRIBE


class EngineHangs(Fault):
    """Of one answer nothing comes for longer than a job may take."""

    name, pipeline = "engine-hangs", Pipeline.CHAT

    def prepare(self, system: System) -> None:
        (system.folder / HUNG_FILE).unlink(missing_ok=True)
        (system.folder / HANG_FILE).touch()

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        if not wait_for(system.folder / HUNG_FILE):
            (system.folder / HANG_FILE).unlink(missing_ok=True)
            raise NotStruckError("no engine was asked")


class _ServerMood(Fault):
    """Lasts until a question came in it."""

    repeats, pipeline = False, Pipeline.CHAT
    mood: ClassVar[str]

    def prepare(self, system: System) -> None:
        (system.folder / MOOD_MET_FILE).unlink(missing_ok=True)
        (system.folder / MODEL_MOOD_FILE).write_text(self.mood)

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        time.sleep(3.0)
        was_met = wait_for(system.folder / MOOD_MET_FILE)
        (system.folder / MODEL_MOOD_FILE).unlink()
        if not was_met:
            raise NotStruckError("nobody asked the server")


class Server500(_ServerMood):
    """For three seconds the server of the model answers 500. It may be the question, so who asks in vain gives up."""

    name = mood = "server-500"
    gives_up = frozenset({"model_failed"})


class ServerHtml(_ServerMood):
    """For three seconds what answers is a page of a proxy, with status 200. Who asks in vain gives up, too."""

    name = mood = "server-html"
    gives_up = frozenset({"model_failed"})


class ServerSilent(_ServerMood):
    """For three seconds it takes questions, and says nothing."""

    name = mood = "server-silent"


class ServerCut(_ServerMood):
    """For three seconds it ends in the middle of answers."""

    name = mood = "server-cut"


class ServerDown(Fault):
    """kill -9 of the server, three seconds away."""

    name, repeats, pipeline = "server-down", False, Pipeline.CHAT

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        system.kill(system.parts["model"], away_s=3.0)
