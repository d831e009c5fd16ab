"""What several chains found on the items of a job, as one result for each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sightline.pipelines import make_results, registry
from sightline.pipelines.graph import Needed
from sightline.types import Detection, FrameResult, ItemResult, Reading
from sightline.wire.messages import Job
from sightline.wire.parts import Part


def join(job: Job, parts: Mapping[str, Part], needed: Needed) -> tuple[ItemResult, ...]:
    """One result per item: all that the chains found, each thing once, in the order of the chains.

    An item has the error of a chain that failed on it: of the first, where `all` are needed, else if all failed.
    """
    found = zip(*(part.results for part in parts.values()), strict=True)
    return tuple(_joined(job, number, results, needed) for number, results in enumerate(found))


def _joined(job: Job, number: int, results: Sequence[ItemResult], needed: Needed) -> ItemResult:
    errors = [result.error for result in results if result.error]
    if errors and (needed == "all" or len(errors) == len(results)):
        return make_results(job.pipeline, [job.frames[number]], error=errors[0])[0]
    good = [result for result in results if not result.error]
    values: dict[str, Any] = {"frame": job.frames[number]}
    wanted = registry().get(job.pipeline).result
    for name, its in wanted.model_fields.items():
        if name not in ("frame", "error", "dropped"):
            values[name] = _one([getattr(result, name) for result in good], its.default)
    if all(isinstance(result, FrameResult) for result in good):
        values |= _seen(cast("list[FrameResult]", good))
    return wanted.model_validate(values)


def _one(values: Sequence[Any], default: Any) -> Any:
    """All of them where each is several, else the first that says something."""
    if all(isinstance(value, tuple) for value in values):
        # What was found before they forked is in several: each thing once. What one chain has twice is there twice: two
        # pictures may be alike. Not all of it can be looked up by its hash.
        several: list[Any] = []
        for value in values:
            several += [one for one in value if one not in several]
        return tuple(several)
    return next((value for value in values if value != default), default)


def _seen(results: Sequence[FrameResult]) -> dict[str, Any]:
    """Detections, and the readings that point to them by their places."""
    detections, readings = dict[Detection, int](), dict[Reading, None]()
    for result in results:
        places = [detections.setdefault(found, len(detections)) for found in result.detections]
        for reading in result.readings:
            index = reading.detection_index
            moved = reading if index is None else reading.model_copy(update={"detection_index": places[index]})
            readings.setdefault(moved)
    return {"detections": tuple(detections), "readings": tuple(readings)}
