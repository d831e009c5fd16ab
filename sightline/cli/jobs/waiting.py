"""What somebody who waits for answers waits for, in words."""

from __future__ import annotations

from typing import Final

from sightline.celery.app import create_app
from sightline.delivery.broker import Broker
from sightline.errors import BrokerUnavailableError
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.settings import Settings

_WORKERS_WITHIN_S: Final = 2.0


def is_served(settings: Settings) -> bool:
    """Whether a worker says that it consumes the questions' queue; also if it cannot be asked."""
    try:
        told = Broker(create_app(settings)).ask_workers("active_queues", within_s=_WORKERS_WITHIN_S)
    except BrokerUnavailableError:
        return True
    names = [str(queue["name"]) for queues in told.values() for queue in queues]
    return any(name == CHAT_QUEUE or name.startswith(f"{CHAT_QUEUE}.") for name in names)


def what_is_waited_for(settings: Settings, *, is_full: bool) -> str:
    """Why no answer comes. `is_full`: no more questions are taken.

    Raises:
        BrokerUnavailableError: Redis does not answer.
    """
    if not is_served(settings):
        return "no chat worker runs (sightline up --chat); waiting for one"
    waiting = Broker(create_app(settings)).depths()[CHAT_QUEUE]
    if is_full:
        return f"as many questions are open as this system takes, {waiting} wait in {CHAT_QUEUE}; going on as they end"
    if waiting:
        return f"{waiting} questions wait in {CHAT_QUEUE} for a chat worker that is busy"
    return "a chat worker has the questions, and no answer is done yet"
