"""The field `pipeline` of whatever comes in: it must be one that there is; errors and OpenAPI say which there are."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from sightline.entry_points import not_one_of
from sightline.pipelines.installed import registry
from sightline.types import Pipeline


class _Known:
    """Reads the registry when a value is checked or a schema is asked for, not before."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _known, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": [str(name) for name in registry().names]}


#: A pipeline that is known here. What was stored by others may have any name: there it is a `Pipeline`.
KnownPipeline = Annotated[Pipeline, _Known()]


def _known(value: object) -> Pipeline:
    spec = registry().find(value)
    if spec is None:
        raise not_one_of(registry().names)
    return spec.name
