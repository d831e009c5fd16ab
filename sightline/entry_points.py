"""What other packages bring, by entry points. Each is imported when it is asked for; its name is known before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from sightline.errors import SettingsError

PIPELINES: Final = "sightline.pipelines"  #: by name: a `PipelineSpec`
DETECTORS: Final = "sightline.detectors"  #: by the kind of its models: `open(name, settings)`, which gives a `Detector`
RECOGNIZERS: Final = "sightline.recognizers"  #: by name: `open(settings)`, which gives a `Recognizer`
SPEECH_ENGINES: Final = "sightline.speech_engines"  #: by name: `open(settings)`, which gives a `SpeechEngine`


@cache
def found(group: str) -> dict[str, metadata.EntryPoint]:
    """The entry points of a group, by name. Raises SettingsError if two packages bring one name."""
    entries: dict[str, metadata.EntryPoint] = {}
    for entry in metadata.entry_points(group=group):
        if entries.setdefault(entry.name, entry) != entry:
            both = f"{_origin(entries[entry.name])} and {_origin(entry)}"
            raise SettingsError(f"{group}: {entry.name!r} comes from {both}; remove one of them")
    return entries


def load(group: str, name: str) -> Any:
    """The object behind an entry point. Raises SettingsError if it cannot be imported; names the package."""
    entry = found(group)[name]
    try:
        return entry.load()
    except Exception as error:  # other people's code may raise anything
        raise SettingsError(
            f"{group}: {name!r} of {_origin(entry)}: {type(error).__name__}: {error}; mend or remove the package"
        ) from error


@dataclass(frozen=True)
class OneOf:
    """For the annotation of a text field: one of ours, or what a package brings in one of these groups."""

    ours: tuple[str, ...]
    groups: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value in self.ours or any(value in found(group) for group in self.groups):
            return value
        raise not_one_of([*self.ours, *(name for group in self.groups for name in found(group))])


def not_one_of(names: Iterable[str]) -> PydanticKnownError:
    """The error of a field that must have one of these values."""
    *most, last = (repr(str(name)) for name in names)
    return PydanticKnownError("enum", {"expected": " or ".join([*filter(None, [", ".join(most)]), last])})


def _origin(entry: metadata.EntryPoint) -> str:
    return f"the package {entry.dist.name if entry.dist else '?'} ({entry.value})"
