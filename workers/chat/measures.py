"""What answers cost, for Prometheus: tokens, and how long somebody waits for the first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import Metric

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ChatMeasures:
    """Of one process."""

    def __init__(self) -> None:
        self._tokens = Counter(
            "sightline_chat_tokens", "Tokens read (prompt) and made (answer).", ("of",), registry=None
        )
        self._first = Histogram(
            "sightline_chat_first_token_seconds",
            "From a question's way to the engine to the first piece of its answer.",
            registry=None,
            buckets=_SECONDS,
        )

    def began(self, seconds: float) -> None:
        """The first piece of an answer came."""
        self._first.observe(seconds)

    def answered(self, prompt_tokens: int | None, answer_tokens: int | None) -> None:
        """An answer came to its end. None: the engine does not count them."""
        self._tokens.labels("prompt").inc(prompt_tokens or 0)
        self._tokens.labels("answer").inc(answer_tokens or 0)

    def collect(self) -> Iterator[Metric]:
        for each in (self._tokens, self._first):
            yield from each.collect()
