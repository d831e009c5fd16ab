"""The engine alone: its model in this process, all questions at once, nothing in between."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.chat.measured import Answers
from sightline.pipelines.chat import ChatOptions
from sightline.settings import Settings
from workers.chat.openvino.engine import arguments_of
from workers.chat.openvino.model import Model, ModelArguments


def open_bare(settings: Settings) -> Model:
    return Model(ModelArguments.model_validate(arguments_of(settings)))


def ask_bare(model: Model, texts: Sequence[str], max_tokens: int) -> Answers:
    options = ChatOptions(max_tokens=max_tokens, temperature=0.0)
    answers, heard = Answers(), set[int]()
    began = time.perf_counter()
    for key, text in enumerate(texts):
        model.begin(key, [{"role": "user", "content": text}], options)
    while not model.is_idle:
        said, ended, _ = model.step()
        now_ms = (time.perf_counter() - began) * 1000
        answers.first_ms += [now_ms] * len(said.keys() - heard)
        heard |= said.keys()
        answers.whole_ms += [now_ms] * len(ended)
        answers.tokens += sum(end.answer_tokens for end in ended.values())
    answers.seconds = time.perf_counter() - began
    return answers
