"""A language model in OpenVINO GenAI: prompts in, pieces out, all under way one step further at a time.

Only `process.py` imports this: a step keeps Python's lock as long as it computes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import openvino_genai as genai
from openvino import Tensor
from pydantic import JsonValue

from sightline.chat.held_schemas import NO_TOOLS, schema_of
from sightline.errors import BadMessageError
from sightline.pipelines.chat import ChatOptions
from sightline.types import Value
from workers.chat.engine import BadQuestionError, Message
from workers.chat.limits import fitting
from workers.chat.openvino.context_length import context_length
from workers.chat.stop_strings import StopStrings
from workers.chat.texts import as_texts

_USUAL_CONTEXT: Final = 4096  #: of a model that does not say it
#: Of a token. Words have a few, and what has more is next to nothing but spaces.
_USUAL_CHARACTERS: Final = 4
_MOST_CHARACTERS: Final = 12
#: So long bulk stands still after the last of the others' answers: their next question may come, and each time that
#: bulk goes on, some of it is read again.
_QUIET_S: Final = 0.5
_HALF_A_CHARACTER: Final = "\ufffd"


class ModelArguments(Value):
    """What the model is opened with."""

    path: Path
    device: str
    most_at_once: int
    bulk_beside: int
    cache_gb: int
    context_tokens: int | None
    properties: dict[str, JsonValue]


class Ended(NamedTuple):
    reason: str
    prompt_tokens: int
    answer_tokens: int


@dataclass(eq=False)
class _Running:
    prompt_tokens: int
    prompt: Any  #: its ids
    config: Any
    most: int  #: tokens of the answer
    #: Not the library's, which cuts whole tokens and so tells what of a stop string shares a token with other text.
    stops: StopStrings
    gives_way: bool
    may_stand: bool  #: and be gone on with later
    handle: Any = None  #: of the library; None while it stands still
    ids: list[int] = field(default_factory=list[int])
    begun: int = 0  #: where the ids begin that the next text is decoded with, as characters may need several
    read: int = 0  #: so many were told


class Model:
    """Not safe to share between threads."""

    def __init__(self, arguments: ModelArguments) -> None:
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size = arguments.cache_gb
        scheduler.max_num_seqs = arguments.most_at_once + arguments.bulk_beside
        scheduler.enable_prefix_caching = True  # a conversation begins as it did before
        path, properties = str(arguments.path), arguments.properties
        self._pipeline = genai.ContinuousBatchingPipeline(path, scheduler, arguments.device, properties)
        self._tokenizer = self._pipeline.get_tokenizer()
        self.context_tokens = arguments.context_tokens or context_length(arguments.path) or _USUAL_CONTEXT
        self._numbers = itertools.count()
        self._running: dict[int, _Running] = {}
        self._bulk_beside = arguments.bulk_beside
        self._others_at = float("-inf")  #: when somebody was answered last who gives no way

    @property
    def is_idle(self) -> bool:
        return not self._running

    def begin(self, key: int, messages: Sequence[Message], options: ChatOptions, *, gives_way: bool = False) -> None:
        """Raises BadQuestionError."""
        config = self._config(options)
        messages, tokens, most = fitting(as_texts(messages), options, self._count, self.context_tokens)
        ids = self._tokenizer.encode(self._prompt(messages), add_special_tokens=False).input_ids
        # What a schema has come to, an answer that is gone on with would not know.
        may_stand = gives_way and options.response_format is None
        stops = StopStrings(options.stop)
        self._running[key] = _Running(tokens, ids, config, most, stops, gives_way, may_stand)

    def call_off(self, key: int) -> bool:
        """Whether it was under way."""
        running = self._running.pop(key, None)
        if running and running.handle:
            running.handle.cancel()
        return running is not None

    def step(self) -> tuple[dict[int, str], dict[int, Ended], list[int]]:
        """The next piece of each answer, the answers that ended, and those that the cache has no room for."""
        self._give_way()
        self._pipeline.step()
        ended: dict[int, Ended] = {}
        refused: list[int] = []
        for key, running in self._running.items():
            if running.handle is None:
                continue
            reason = _read(running)
            status = running.handle.get_status()
            if reason is None and status == genai.GenerationStatus.IGNORED:
                refused.append(key)
            elif reason is not None or status != genai.GenerationStatus.RUNNING:
                # An answer may end without a last output.
                ended[key] = Ended(reason or "stop", running.prompt_tokens, len(running.ids))
        said = self._cut(self._texts(ended), ended)
        for key in (*ended, *refused):
            del self._running[key]
        return said, ended, refused

    def _give_way(self) -> None:
        """While others are answered, all that give way stand still, but for the oldest of them.

        What they said is kept, and what was read for it as long as the cache has room.
        """
        now, running = time.monotonic(), self._running.values()
        if not all(one.gives_way for one in running):
            self._others_at = now
        standing: list[_Running] = []
        if now - self._others_at < _QUIET_S:
            standing = [one for one in running if one.may_stand][self._bulk_beside :]
        for one in standing:
            if one.handle is not None:
                one.handle.cancel()
                one.handle = None
        for one in running:
            if one.handle is None and one not in standing:
                self._go_on(one)

    def _go_on(self, one: _Running) -> None:
        ids = one.prompt
        if one.ids:
            ids = Tensor(np.append(ids.data, [one.ids], axis=1))
        one.config.max_new_tokens = one.most - len(one.ids)
        one.handle = self._pipeline.add_request(next(self._numbers), ids, one.config)

    def _texts(self, ended: Mapping[int, Ended]) -> dict[int, str]:
        """What was said in this step, all decoded in one call."""
        fresh = {key: one for key, one in self._running.items() if len(one.ids) > one.read}
        if not fresh:
            return {}
        wanted = [ids for one in fresh.values() for ids in (one.ids[one.begun : one.read], one.ids[one.begun :])]
        decoded: list[str] = self._tokenizer.decode(wanted)
        said: dict[int, str] = {}
        for (key, one), before, now in zip(fresh.items(), decoded[::2], decoded[1::2], strict=True):
            if now.endswith(_HALF_A_CHARACTER) and key not in ended:
                continue  # the next token completes it
            one.begun, one.read = one.read, len(one.ids)
            if text := now[len(before) :]:
                said[key] = text
        return said

    def _cut(self, said: Mapping[int, str], ended: dict[int, Ended]) -> dict[int, str]:
        """What of it may be told. An answer that came to a stop string is among those that ended."""
        told: dict[int, str] = {}
        for key in {*said, *ended}:
            one = self._running[key]
            if text := one.stops.pass_on(said.get(key, ""), is_last=key in ended):
                told[key] = text
            if one.stops.is_met:
                one.handle.cancel()
                ended[key] = Ended("stop", one.prompt_tokens, len(one.ids))
        return told

    def _count(self, messages: Sequence[Message]) -> int:
        """Of a prompt that is far too long, about: to read it to its end would keep everybody waiting."""
        prompt = self._prompt(messages)
        if len(prompt) > _MOST_CHARACTERS * self.context_tokens:
            return len(prompt) // _USUAL_CHARACTERS
        return int(self._tokenizer.encode(prompt, add_special_tokens=False).input_ids.shape[1])

    def _prompt(self, messages: Sequence[Message]) -> str:
        try:
            return self._tokenizer.apply_chat_template([dict(one) for one in messages], add_generation_prompt=True)
        except RuntimeError as error:
            raise BadQuestionError(f"messages: not as the model's template has them: {error}"[:300]) from error

    def _config(self, options: ChatOptions) -> Any:
        """Raises BadQuestionError: the question wants what this engine has not."""
        config: Any = self._pipeline.get_config()
        if options.tools and options.tool_choice != "none":
            raise BadQuestionError(NO_TOOLS)
        if options.temperature is not None:
            config.do_sample = options.temperature > 0
            config.temperature = options.temperature or 1.0
        if options.top_p is not None:
            config.top_p = options.top_p
        try:
            schema = schema_of(options.response_format)
        except BadMessageError as error:
            raise BadQuestionError(str(error)) from error
        if schema:
            config.structured_output_config = genai.StructuredOutputConfig(json_schema=schema)
        return config


def _read(running: _Running) -> str | None:
    """Take what is new. Returns why the answer ended, if it did."""
    while running.handle.can_read():
        for output in running.handle.read().values():
            running.ids += output.generated_ids
            if output.finish_reason != genai.GenerationFinishReason.NONE:
                return "length" if output.finish_reason == genai.GenerationFinishReason.LENGTH else "stop"
    return None
