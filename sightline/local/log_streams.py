"""What children write, as lines of one log: each says who wrote it, for people or for a collector of logs."""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

LogFormat = Literal["text", "json"]

_COLORS = itertools.cycle((36, 32, 33, 35, 34, 96, 92, 95))


class LogStream(ABC):
    """Writes whole lines of one child. Circus calls it with what it read, and which of the child's outputs it was."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._rest: dict[str, str] = {}

    def __call__(self, data: Mapping[str, Any]) -> None:
        channel = str(data.get("name", ""))
        text = self._rest.pop(channel, "") + data["data"].decode(errors="replace")
        *lines, rest = text.split("\n")
        if rest:
            self._rest[channel] = rest
        for line in lines:
            if line.strip():
                self._out.write(f"{self.said(line)}\n")
        self._out.flush()

    def close(self) -> None:
        for rest in self._rest.values():
            self._out.write(f"{self.said(rest)}\n")
        self._rest.clear()

    @abstractmethod
    def said(self, line: str) -> str:
        """The line, and who wrote it."""


class PrefixedLines(LogStream):
    """For people: the name in front, in a color of its own."""

    def __init__(self, name: str, width: int, out: TextIO) -> None:
        super().__init__(out)
        padded = name.ljust(width)
        self._prefix = f"\033[{next(_COLORS)}m{padded}\033[0m | " if out.isatty() else f"{padded} | "

    def said(self, line: str) -> str:
        return f"{self._prefix}{line}"


class JsonObjects(LogStream):
    """For a collector: every line is one object with `process`, also of a child that writes text, such as Redis."""

    def __init__(self, name: str, out: TextIO) -> None:
        super().__init__(out)
        self._name = name

    def said(self, line: str) -> str:
        return json.dumps({"process": self._name, **(_object(line) or of_text(line))}, ensure_ascii=False)


def of_text(text: str) -> dict[str, Any]:
    """What was written as text, with the fields that our lines have."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"time": at, "level": "INFO", "logger": _TEXT, "message": text.rstrip()}


def stream_of(name: str, width: int, log_format: LogFormat, out: TextIO) -> LogStream:
    """`width`: of the longest name."""
    return JsonObjects(name, out) if log_format == "json" else PrefixedLines(name, width, out)


def _object(line: str) -> dict[str, Any] | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


_TEXT: Final = "text"  #: who writes text says no logger
