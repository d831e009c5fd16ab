"""What servers of others serve: our engine's model. Imports nothing that such a server may not have."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Final

#: How the model is opened, as JSON: `workers.chat.openvino.model.ModelArguments`.
ARGUMENTS: Final = "CHAT_PEER_ARGUMENTS"
BATCH: Final = 32
WAIT_S: Final = 0.01  #: for a batch to fill


class PeerModel:
    """One batch at a time: none of its answers is there before the last, and nothing joins it."""

    def __init__(self) -> None:
        from workers.chat.openvino.model import Model, ModelArguments

        self._model = Model(ModelArguments.model_validate_json(os.environ[ARGUMENTS]))
        self._keys = itertools.count()

    def answer(self, asked: Sequence[tuple[str, int]]) -> list[int]:
        """How many tokens each answer has. Given are texts, and how many tokens there may be."""
        from sightline.pipelines.chat import ChatOptions

        keys = [next(self._keys) for _ in asked]
        for key, (text, max_tokens) in zip(keys, asked, strict=True):
            options = ChatOptions(max_tokens=max_tokens, temperature=0.0)
            self._model.begin(key, [{"role": "user", "content": text}], options)
        tokens: dict[int, int] = {}
        while not self._model.is_idle:
            _, ended, _ = self._model.step()
            tokens |= {key: end.answer_tokens for key, end in ended.items()}
        return [tokens[key] for key in keys]
