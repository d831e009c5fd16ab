"""Whether results are what a pipeline says, and what of the wire they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from sightline.errors import BadMessageError
from sightline.pipelines.installed import registry
from sightline.types import FrameError, Item, ItemResult, JobResult, OtherResult


def as_results(pipeline: str, results: Sequence[ItemResult]) -> tuple[ItemResult, ...]:
    """The results as the type that the pipeline says. A stage may leave less, as one of ours does for any pipeline.

    Those of a pipeline that is not known here stay as they are.

    Raises:
        BadMessageError: one has something that is no part of this type.
    """
    spec = registry().find(pipeline)
    if spec is None or all(type(one) is spec.result for one in results):
        return tuple(results)
    return tuple(_as(spec.result, pipeline, number, one) for number, one in enumerate(results))


def are_of(pipeline: str, results: Sequence[ItemResult], items: Sequence[Item]) -> bool:
    """Whether there is one result per item, in their order; or one for all, where the pipeline has such."""
    if [one.frame.frame_id for one in results] == [item.frame_id for item in items]:
        return True
    spec = registry().find(pipeline)
    is_of_job = spec is not None and spec.result_of == "job"
    return is_of_job and len(results) == 1 and results[0].frame.frame_id == items[0].frame_id


def per_item(result: ItemResult, items: Sequence[Item]) -> tuple[ItemResult, ...]:
    """One result for all items as one for each: the others end as the first did, and have nothing of their own."""
    other = type(result)(frame=result.frame, stages=result.stages, error=result.error, dropped=result.dropped)
    return (result, *(other.model_copy(update={"frame": item}) for item in items[1:]))


def parse_result(raw: Mapping[str, Any]) -> JobResult:
    """The result of a job as an API gives it, which may be newer: what it says beside is left out.

    Raises pydantic's ValidationError: it is none.
    """
    spec = registry().find(raw.get("pipeline"))
    result = spec.result if spec else OtherResult
    frames = [result.model_validate(each, extra="ignore" if spec else "allow") for each in raw.get("frames", ())]
    return JobResult.model_validate({**raw, "frames": frames}, extra="ignore")


def make_results(
    pipeline: str, items: Sequence[Item], *, error: FrameError | None = None, dropped: str | None = None
) -> tuple[ItemResult, ...]:
    """Results of items of which nothing is known, or why nothing will be."""
    result = registry().get(pipeline).result
    return tuple(result(frame=item, error=error, dropped=dropped) for item in items)


def _as(wanted: type[ItemResult], pipeline: str, number: int, one: ItemResult) -> ItemResult:
    if type(one) is wanted:
        return one
    given = {name: getattr(one, name) for name in one.model_fields_set}
    try:
        return wanted.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("results", str(number), *map(str, first["loc"])))
        text = f"{field}: {first['msg']}; results of {str(pipeline)!r} are of type {wanted.__name__}"
        raise BadMessageError(text, field=field) from error
