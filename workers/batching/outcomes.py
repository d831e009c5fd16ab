"""What became of one item of a batch: its result, or the error that its frame alone has to bear."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from sightline.errors import JobCancelledError, PoisonError, RetryableError
from sightline.types import FrameError
from workers.batching.batcher import Batched, Ticket

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def outcome_of(ticket: Ticket[Any, Result], stage: str) -> Batched[Result] | FrameError:
    """The result of an item, or why the model could not treat it (it was tried alone, too).

    Raises:
        RetryableError, MemoryError: not this item's fault; the whole job is tried again.
        JobCancelledError: nobody wants it any more.
    """
    try:
        return ticket.result()
    except (RetryableError, MemoryError, JobCancelledError):
        raise
    except PoisonError as error:
        return FrameError(reason=error.reason, message=str(error)[:500], stage=stage)
    except Exception as error:  # a model may raise anything; the other frames of the job are innocent
        log.exception("the model of stage %s failed on a frame", stage)
        return FrameError(reason="model_failed", message=f"{type(error).__name__}: {error}"[:500], stage=stage)
