"""The option `--pipeline`: which there are is asked when the command line is read, so that packages have their say."""

from __future__ import annotations

from typing import Any

import typer

from sightline.pipelines import registry
from sightline.types import Pipeline


def pipeline_option(about: str) -> Any:
    """For an annotation that is text: `Annotated[Pipeline, pipeline_option("...")]`."""
    return typer.Option(help=about, parser=_parse, metavar=f"<{'|'.join(registry().names)}>")


def _parse(given: str) -> Pipeline:
    spec = registry().find(given)
    if spec is None:
        raise typer.BadParameter(f"{given!r} is not one of {', '.join(map(repr, map(str, registry().names)))}.")
    return spec.name
