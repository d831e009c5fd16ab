"""Whether items are what a pipeline takes. Every way in asks it, so that the answer is the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from sightline.errors import BadMessageError
from sightline.pipelines.installed import registry
from sightline.types import MAX_INLINE_CHARS, Item, Medium, Value

#: Texts inside one message, together.
MAX_JOB_CHARS: Final = 16 * MAX_INLINE_CHARS

_WORDS: Final[Mapping[Medium, str]] = {"image": "pictures", "audio": "sound", "text": "text"}


def check_items(pipeline: str, items: Sequence[Item]) -> None:
    """Raises BadMessageError where a pipeline does not take one of these items; says what it takes, and what does."""
    spec = registry().get(pipeline)
    takes_frames = "image" in spec.accepts
    chars = 0
    for number, item in enumerate(items):
        if item.options is not None:
            check_options(pipeline, item.options, f"frames.{number}.options")
        if not item.parts and takes_frames:
            continue
        check_media(pipeline, item.media, item.name or f"frames.{number}")
        if len(item.parts) > spec.most_parts:
            raise BadMessageError(
                f"frames.{number}.parts: {len(item.parts)} given, pipeline {pipeline!r} takes {spec.most_parts} an "
                "item; give the others as items of their own",
                field=f"frames.{number}.parts",
            )
        chars += sum(len(part.text) for part in item.parts if part.text)
    if chars > MAX_JOB_CHARS:
        raise BadMessageError(
            f"frames: {chars} characters of text, at most {MAX_JOB_CHARS} go in a job; make several jobs of it, or put "
            "long texts into the frame store",
            field="frames",
        )


def check_media(pipeline: str, media: Sequence[Medium], name: str) -> None:
    """The same of what an item is made of. `name`: what whoever gave it calls it."""
    accepts = registry().get(pipeline).accepts
    for wrong in media:
        if wrong in accepts:
            continue
        takes = " and ".join(_WORDS[medium] for medium in accepts)
        others = [name for name in registry().names if wrong in registry().get(name).accepts]
        cure = f"for {_WORDS[wrong]} take {' or '.join(others)}" if others else f"nothing here takes {_WORDS[wrong]}"
        raise BadMessageError(
            f"pipeline: {str(pipeline)!r} takes {takes}, and {name!r:.80} is {_WORDS[wrong]}; {cure}", field="pipeline"
        )


def check_camera(pipeline: str, camera_id: str) -> None:
    """Raises BadMessageError where a pipeline is nothing for a camera: it takes no pictures, or no picture alone."""
    check_media(pipeline, ("image",), camera_id)
    if registry().get(pipeline).most_parts > 1:
        others = [spec.name for spec in registry().all() if "image" in spec.accepts and spec.most_parts == 1]
        raise BadMessageError(
            f"pipeline: {str(pipeline)!r} takes a picture beside other parts, and {camera_id!r:.80} has pictures "
            f"alone; for a camera take {' or '.join(others)}",
            field="pipeline",
        )


def check_options(pipeline: str, options: Mapping[str, object], name: str) -> Value:
    """What is said beside an item, as the pipeline has it. `name`: what whoever gave it calls it.

    Raises BadMessageError where the pipeline has no such option, or not with this value.
    """
    kind = registry().get(pipeline).options
    if kind is None:
        raise BadMessageError(f"{name}: pipeline {str(pipeline)!r} has no options; leave them out", field=name)
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join((name, *map(str, first["loc"])))
        said = first["msg"]
        if first["type"] == "extra_forbidden":
            said = f"no option of {str(pipeline)!r}; it has {', '.join(kind.model_fields)}"
        raise BadMessageError(f"{field}: {said} (got {first.get('input')!r:.80})", field=field) from error
