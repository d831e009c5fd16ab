"""The JSON schemas in a question: of the answer's form, and of tools. A broken one is told before anybody waits."""

from __future__ import annotations

from typing import Any

from sightline.chat.request import ChatRequest
from sightline.errors import BadMessageError

_FORMATS = ("text", "json_object", "json_schema")


def check_schemas(asked: ChatRequest) -> None:
    """Raises BadMessageError: naming the schema and what is wrong with it."""
    form = asked.response_format
    if form is not None:
        if form.get("type") not in _FORMATS:
            raise _bad("response_format.type", f"must be one of {', '.join(_FORMATS)}", form.get("type"))
        if form["type"] == "json_schema":
            match form.get("json_schema"):
                case {"name": str(), "schema": dict(schema)}:
                    _check("response_format.json_schema.schema", schema)
                case other:
                    raise _bad("response_format.json_schema", 'must be {"name": …, "schema": {…}}', other)
    for number, tool in enumerate(asked.tools or ()):
        where = f"tools.{number}"
        match tool:
            case {"type": "function", "function": {"name": str(), "parameters": dict(schema)}}:
                _check(f"{where}.function.parameters", schema)
            case {"type": "function", "function": {"name": str(), **rest}} if "parameters" not in rest:
                pass
            case other:
                cure = 'must be {"type": "function", "function": {"name": …, "parameters": {…}}}'
                raise _bad(where, cure, other)


def _check(where: str, schema: Any) -> None:
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
    except ImportError:  # the light wheel has no checker: who answers judges
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join((where, *map(str, error.absolute_path)))
        raise BadMessageError(f"{place}: no JSON schema: {error.message[:300]}", field=place) from error
    except RecursionError:
        raise BadMessageError(f"{where}: nested too deep", field=where) from None


def _bad(field: str, cure: str, got: object) -> BadMessageError:
    return BadMessageError(f"{field}: {cure} (got {got!r:.80})", field=field)
