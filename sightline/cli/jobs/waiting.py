"""What somebody who waits for answers waits for, in words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sightline.celery.app import create_app
from sightline.delivery.broker import Broker
from sightline.errors import BrokerUnavailableError
from sightline.pipelines import registry
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.settings import Settings
from sightline.types import Pipeline

_WORKERS_WITHIN_S: Final = 2.0


def unserved(settings: Settings, pipeline: str = Pipeline.CHAT) -> list[str]:
    """The queues that a job of a pipeline has to pass and no worker says it consumes; none if nobody can be asked."""
    try:
        told = Broker(create_app(settings)).ask_workers("active_queues", within_s=_WORKERS_WITHIN_S)
    except BrokerUnavailableError:
        return []
    names = {str(queue["name"]) for queues in told.values() for queue in queues}
    return [
        queue
        for queue in registry().queues_of(pipeline)
        if not any(name == queue or name.startswith(f"{queue}.") for name in names)
    ]


def who_is_missing(pipeline: str, queues: Collection[str] = ()) -> str:
    """What to start so that questions are answered; `queues`: those that no worker consumes, if that is known."""
    how = "--with ask" if pipeline == Pipeline.ASK else "--chat"
    if not queues:
        several = "do workers that detect, transcribe and chat run"
        return f"{several if pipeline == Pipeline.ASK else 'does a chat worker run'} (sightline up {how})?"
    return f"no worker consumes {', '.join(queues)} (sightline up {how} starts what it takes)."


def what_is_waited_for(settings: Settings, *, is_full: bool) -> str:
    """Why no answer comes. `is_full`: no more questions are taken.

    Raises:
        BrokerUnavailableError: Redis does not answer.
    """
    if CHAT_QUEUE in unserved(settings):
        return "no chat worker runs (sightline up --chat); waiting for one"
    waiting = Broker(create_app(settings)).depths()[CHAT_QUEUE]
    if is_full:
        return f"as many questions are open as this system takes, {waiting} wait in {CHAT_QUEUE}; going on as they end"
    if waiting:
        return f"{waiting} questions wait in {CHAT_QUEUE} for a chat worker that is busy"
    return "a chat worker has the questions, and no answer is done yet"
