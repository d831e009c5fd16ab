"""Which pipelines there are here: ours, and those of other packages, by their entry points `sightline.pipelines`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from sightline.errors import SettingsError
from sightline.pipelines.built_in import BUILT_IN
from sightline.pipelines.routes import Registry
from sightline.pipelines.spec import PipelineSpec

ENTRY_POINTS: Final = "sightline.pipelines"


@cache
def registry() -> Registry:
    """All pipelines there are in this environment; packages are looked for at the first call.

    Raises:
        SettingsError: one of another package cannot be had; names the package and what is wrong.
    """
    return Registry((*BUILT_IN, *map(_load, entry_points(group=ENTRY_POINTS))))


def _load(entry: EntryPoint) -> PipelineSpec:
    where = f"pipeline {entry.name!r} of the package {entry.dist.name if entry.dist else '?'} ({entry.value})"
    try:
        spec = entry.load()
    except Exception as error:
        raise SettingsError(f"{where}: {type(error).__name__}: {error}; mend or remove the package") from error
    if not isinstance(spec, PipelineSpec):
        raise SettingsError(f"{where}: is a {type(spec).__name__}; it must be a PipelineSpec")
    return spec
