"""Whether results are what a pipeline says, and what of the wire they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from sightline.errors import BadMessageError
from sightline.pipelines.installed import registry
from sightline.types import FrameError, FrameResult, Item, ItemResult, JobResult, OtherResult


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


def has_own_type(pipeline: str) -> bool:
    """Whether its results are of a type that a package brings: each is looked at when a stage leaves it."""
    spec = registry().find(pipeline)
    return spec is not None and spec.result is not FrameResult


def check_results(pipeline: str, left: Sequence[object], items: Sequence[Item], stage: str) -> tuple[ItemResult, ...]:
    """What a stage left, as the type that the pipeline says: one per item, or one for all, where it has such.

    An item whose result does not fit or is missing has an error that names the field, the value and the stage.
    """
    spec = registry().get(pipeline)
    wanted = items[:1] if spec.result_of == "job" and len(left) == 1 else items
    by_id = {getattr(one.frame, "frame_id", None): one for one in left if isinstance(one, ItemResult)}
    checked: list[ItemResult] = []
    for number, item in enumerate(wanted):
        one = by_id.get(item.frame_id)
        if one is None and len(left) == len(wanted):
            one = left[number]
        try:
            checked.append(_check(spec.result, one, item))
        except BadMessageError as error:
            text = f"{stage}: results.{number}.{error}; results of {str(pipeline)!r} are of type {spec.result.__name__}"
            bad = FrameError(reason=error.reason, message=text[:500], stage=stage)
            checked.append(spec.result(frame=item, error=bad))
    return tuple(checked)


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


def _check(wanted: type[ItemResult], one: object, item: Item) -> ItemResult:
    """Raises BadMessageError: it is none of this item and this type."""
    if one is None:
        raise BadMessageError("frame: there is no result of this item", field="frame")
    if not isinstance(one, ItemResult):
        raise BadMessageError(f"frame: {one!r:.80} is a {type(one).__name__} and no result", field="frame")
    try:
        # Only what was set: a stage of ours leaves less than the result of a package.
        dumped = one.model_dump_json(include=one.model_fields_set, warnings=False)
        result = wanted.model_validate_json(dumped, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        text = f"{field}: {first['msg']} (got {first['input']!r:.80})"
        raise BadMessageError(text, field=field) from error
    except PydanticSerializationError as error:
        field = next(name for name in one.model_fields_set if not _is_json(one, name))
        raise BadMessageError(f"{field}: {getattr(one, field)!r:.80} cannot be JSON", field=field) from error
    if result.frame.frame_id != item.frame_id:
        raise BadMessageError(f"frame: {result.frame.frame_id!r} is another item", field="frame")
    return result


def _is_json(one: ItemResult, name: str) -> bool:
    try:
        one.model_dump_json(include={name}, warnings=False)
    except PydanticSerializationError:
        return False
    return True
