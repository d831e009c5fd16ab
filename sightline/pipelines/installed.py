"""Which pipelines there are here: ours, and those of other packages, by their entry points `sightline.pipelines`."""

from __future__ import annotations

from functools import cache

from sightline import entry_points
from sightline.errors import SettingsError
from sightline.pipelines.built_in import BUILT_IN
from sightline.pipelines.routes import Registry
from sightline.pipelines.spec import PipelineSpec


@cache
def registry() -> Registry:
    """All pipelines there are in this environment; packages are looked for at the first call.

    Raises:
        SettingsError: one of another package cannot be had; names the package and what is wrong.
    """
    return Registry((*BUILT_IN, *map(_load, entry_points.found(entry_points.PIPELINES))))


def _load(name: str) -> PipelineSpec:
    spec = entry_points.load(entry_points.PIPELINES, name)
    if not isinstance(spec, PipelineSpec):
        raise SettingsError(f"{entry_points.PIPELINES}: {name!r} is a {type(spec).__name__}; it must be a PipelineSpec")
    return spec
