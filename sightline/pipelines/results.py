"""Whether results are what a pipeline says, and what of the wire they are made of."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from sightline.errors import BadMessageError
from sightline.pipelines.installed import registry
from sightline.types import FrameError, Item, ItemResult


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
