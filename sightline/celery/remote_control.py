"""Celery's remote control of workers, reduced to questions.

Whoever may ask a worker how it is, Flower say, could also end it or have it stop consuming: Celery knows no difference.
Nor may what is sent to that channel and is no message end the worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from celery import bootsteps
from celery.worker.control import Panel

from sightline.celery.app import ABOUT

log = logging.getLogger(__name__)

#: What only tells. Of Celery's other questions `hello` also has tasks revoked, and `objgraph` writes a file.
QUESTIONS: Final = frozenset(
    {"ping", "clock", "stats", "conf", "active", "reserved", "scheduled", "revoked", "registered", "active_queues"}
    | {"query_task", ABOUT}
)


class _Ears(bootsteps.StartStopStep):
    """Leaves out what comes over the channel of remote control and cannot be read. Redis only."""

    requires: Final = {"celery.worker.consumer.connection:Connection"}

    def start(self, parent: Any) -> None:
        transport = parent.connection.transport
        if transport.driver_type == "redis":
            transport._deliver = _careful(transport._deliver, parent.connection_errors)


def _careful(deliver: Callable[[Any, str], None], connection_errors: tuple[type[Exception], ...]) -> Any:
    def carefully(message: Any, queue: str) -> None:
        if not queue.endswith(".pidbox"):
            deliver(message, queue)
            return
        try:
            deliver(message, queue)
        except connection_errors:
            raise
        except Exception as error:  # noqa: BLE001 - kombu's, for whatever is not as it wants it
            log.warning("what was sent to %s is left out: %r", queue, error)

    return carefully


def only_answer(app: Any, about: Callable[[], dict[str, Any]]) -> None:
    """Have the app's workers answer questions, what `about` says of them too, and follow no order."""
    Panel.data[ABOUT] = lambda _state, **_: about()
    for name in set(Panel.data) - QUESTIONS:
        del Panel.data[name]
    app.steps["consumer"].add(_Ears)
