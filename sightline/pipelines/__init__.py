"""Pipelines: what kinds of work there are. `registry()` knows them all; `built_in.py` shows ours.

A package adds one with an entry point in the group `sightline.pipelines`, whose object is a `PipelineSpec`.
"""

from __future__ import annotations

from sightline.pipelines.built_in import DEFAULT
from sightline.pipelines.field import KnownPipeline
from sightline.pipelines.installed import registry
from sightline.pipelines.routes import Registry
from sightline.pipelines.spec import Medium, PipelineSpec, StageSpec

__all__ = ["DEFAULT", "KnownPipeline", "Medium", "PipelineSpec", "Registry", "StageSpec", "registry"]
