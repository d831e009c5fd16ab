"""Where an answer that comes in pieces ends: before a stop string, of which nobody is told a part."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Those of one answer. What may be the beginning of one is held back until more is known."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.is_met = False  #: the answer is at its end

    def pass_on(self, text: str, *, is_last: bool) -> str:
        """The next piece comes in; what may be told comes out."""
        text, self._held = self._held + text, ""
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.is_met = True
            return text[: min(found)]
        if is_last:
            return text
        told = len(text) - max((_begun(stop, text) for stop in self._stops), default=0)
        text, self._held = text[:told], text[told:]
        return text


def _begun(stop: str, text: str) -> int:
    """So many characters at the end of `text` are the beginning of `stop`."""
    longest = min(len(stop) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
