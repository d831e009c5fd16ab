"""Pipelines: what kinds of work there are. `registry()` knows them all; `built_in.py` shows ours.

A package adds one with an entry point in the group `sightline.pipelines`, whose object is a `PipelineSpec`.
"""

from __future__ import annotations

from sightline.pipelines.built_in import DEFAULT
from sightline.pipelines.field import KnownPipeline
from sightline.pipelines.installed import registry
from sightline.pipelines.items import check_camera, check_items, check_media
from sightline.pipelines.results import (
    are_of,
    as_results,
    check_results,
    has_own_type,
    make_results,
    parse_result,
    per_item,
)
from sightline.pipelines.routes import Registry
from sightline.pipelines.spec import PayloadSpec, PipelineSpec, StageSpec
from sightline.types import Medium

__all__ = [
    "DEFAULT",
    "KnownPipeline",
    "Medium",
    "PayloadSpec",
    "PipelineSpec",
    "Registry",
    "StageSpec",
    "are_of",
    "as_results",
    "check_camera",
    "check_items",
    "check_media",
    "check_results",
    "has_own_type",
    "make_results",
    "parse_result",
    "per_item",
    "registry",
]
