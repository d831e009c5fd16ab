"""`python -m workers.chat.openvino.process ARGUMENTS`: the model in a process of its own, by lines of JSON.

A step of the model keeps Python's lock; in the worker's own process nothing else would come to anything meanwhile. In:
`{"ask": 7, "messages": […], "options": {…}, "gives_way": false}`, `{"call_off": 7}`. Out: `{"ready": {…}}` or
`{"cannot": "…"}`, then for each step `{"said": {"7": "…"}, "ended": {"7": ["stop", 12, 3]}, "refused": {"8": "…"},
"gone": [9]}`. It ends with its input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from sightline.pipelines.chat import ChatOptions
from workers.chat.engine import BadQuestionError
from workers.chat.openvino.model import Model, ModelArguments

_IN: Final = 0
_SIGN_OF_LIFE_S: Final = 2.0
#: Who is idle and asked waits so long for a next question, and for all of them together. A step takes longer, and who
#: comes while it goes on waits for its end.
_NEXT_S: Final = 0.003
_GATHER_S: Final = 0.012


class _Lines:
    """Lines that come in; of what is not there yet nothing is waited for, unless there is nothing else to do."""

    def __init__(self) -> None:
        self._rest = b""
        self.is_over = False

    def take(self, *, wait: bool) -> Iterator[dict[str, Any]]:
        patience_s, until = None if wait else 0.0, 0.0
        while select.select([_IN], [], [], patience_s)[0]:
            data = os.read(_IN, 1 << 20)
            if not data:
                self.is_over = True
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from map(json.loads, lines)
            if wait and lines:  # whoever was asked at the same time comes into the same step
                now = time.monotonic()
                until = until or now + _GATHER_S
                patience_s = max(0.0, min(_NEXT_S, until - now))


def _tell(out: int, told: dict[str, Any]) -> None:
    data = json.dumps(told).encode() + b"\n"
    while data:
        data = data[os.write(out, data) :]


def main(arguments: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # its worker stops when its answers are done, and so does it
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to the log
    try:
        model = Model(ModelArguments.model_validate_json(arguments))
    except Exception as error:  # noqa: BLE001 - the library raises anything; the worker says it with the cure
        _tell(out, {"cannot": str(error)[:500]})
        return 2
    _tell(out, {"ready": {"context_tokens": model.context_tokens}})
    lines, told_at = _Lines(), 0.0
    while not lines.is_over:
        refused: dict[int, str] = {}
        gone: list[int] = []
        for line in lines.take(wait=model.is_idle):
            if "call_off" in line:
                gone += [line["call_off"]] * model.call_off(line["call_off"])
                continue
            try:
                options = ChatOptions.model_validate(line["options"])
                model.begin(line["ask"], line["messages"], options, gives_way=line.get("gives_way", False))
            except BadQuestionError as error:
                refused[line["ask"]] = str(error)
        said, ended, ignored = model.step() if not model.is_idle else ({}, {}, [])
        too_much = (
            "messages: the cache has no room for so many tokens; raise SIGHTLINE_CHAT_CACHE_GB, or ask with fewer"
        )
        refused |= dict.fromkeys(ignored, too_much)
        told = {"said": said, "ended": ended, "refused": refused, "gone": gone}
        if any(told.values()) or time.monotonic() - told_at > _SIGN_OF_LIFE_S:
            _tell(out, told)
            told_at = time.monotonic()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
