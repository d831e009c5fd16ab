"""The result of a job of one item, for who waits for it and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

from sightline.delivery.cancellations import CANCELLED
from sightline.errors import AnswerError, BadMessageError, JobCancelledError
from sightline.pipelines import as_results
from sightline.types import ItemResult, JobResult


def only_result(result: JobResult, field_of: Callable[[str], str]) -> ItemResult:
    """What was found. `field_of`: of what came in, the field that a worker's sentence is about.

    Raises:
        BadMessageError: what came in is at fault; the text says what would do.
        JobCancelledError: somebody cancelled it.
        AnswerError: there is none, for another reason.
    """
    (found,) = as_results(result.pipeline, result.frames)
    if found.dropped == CANCELLED:
        raise JobCancelledError(f"job {result.job_id} was cancelled")
    if found.dropped is not None:
        raise AnswerError(f"job {result.job_id} was dropped: {found.dropped}", reason=found.dropped)
    if found.error is not None and found.error.reason.startswith("bad_"):
        raise BadMessageError(found.error.message, field=field_of(found.error.message))
    if found.error is not None:
        raise AnswerError(found.error.message, reason=found.error.reason)
    return found
