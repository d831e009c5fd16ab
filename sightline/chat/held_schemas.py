"""What the engine `openvino` can hold an answer to: by its worker, and by the API before a question is accepted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from sightline.chat.request import ChatRequest
from sightline.errors import BadMessageError

_TYPES: Final = frozenset(("object", "array", "string", "integer", "number", "boolean", "null"))
NO_TOOLS: Final = "tools: this engine has none; leave them out, or ask a server that does"
#: That say something to people, and nothing about the answer.
_REMARKS: Final = frozenset(("title", "description", "default", "examples", "$schema", "$id", "$comment"))


def check_held(asked: ChatRequest) -> None:
    """Raises BadMessageError: naming what of a question `openvino` cannot hold an answer to."""
    if asked.tools and asked.tool_choice != "none":
        raise BadMessageError(NO_TOOLS, field="tools")
    schema_of(asked.response_format)


def schema_of(wanted: Mapping[str, JsonValue] | None) -> str:
    """The JSON schema that a `response_format` asks for; empty: any text will do.

    Raises:
        BadMessageError: it is none, or asks for something that cannot be held to.
    """
    kind = (wanted or {}).get("type", "text")
    if wanted is None or kind == "text":
        return ""
    if kind == "json_object":
        return json.dumps({"type": "object"})
    given = wanted.get("json_schema")
    schema = given.get("schema") if kind == "json_schema" and isinstance(given, dict) else None
    if not isinstance(schema, dict):
        raise BadMessageError(
            f"response_format: {str(wanted)!r:.80} is none of text, json_object, and json_schema with its schema",
            field="response_format",
        )
    known = {f"#/{where}/{name}" for where in ("$defs", "definitions") for name in _part(schema, where, dict, where)}
    _check(schema, "response_format.json_schema.schema", known)
    return json.dumps(schema)


def _check(schema: Any, where: str, known: set[str]) -> None:
    """Raises BadMessageError, naming the place."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise BadMessageError(f"{where}: {schema!r:.40} is no schema", field=where)
    for word, value in schema.items():
        place = f"{where}.{word}"
        if word in ("properties", "$defs", "definitions"):
            for name, one in _part(schema, word, dict, place).items():
                _check(one, f"{place}.{name}", known)
        elif word in ("items", "additionalProperties"):
            _check(value, place, known)
        elif word in ("anyOf", "oneOf"):
            for number, one in enumerate(_part(schema, word, list, place)):
                _check(one, f"{place}.{number}", known)
        elif word == "type":
            names = value if isinstance(value, list) else [value]
            if not names or any(not isinstance(name, str) or name not in _TYPES for name in names):
                raise BadMessageError(f"{place}: {value!r:.40} is not one of {', '.join(sorted(_TYPES))}", field=place)
        elif word == "$ref":
            if value not in known:
                raise BadMessageError(f"{place}: {value!r:.60} is not among its $defs", field=place)
        elif word in ("required", "enum"):
            _part(schema, word, list, place)
        elif word != "const" and word not in _REMARKS:
            raise BadMessageError(f"{place}: this engine cannot hold an answer to it; leave it out", field=place)


def _part(schema: dict[str, Any], word: str, kind: type[Any], place: str) -> Any:
    value = schema.get(word, kind())
    if not isinstance(value, kind):
        raise BadMessageError(f"{place}: {value!r:.40} is no {'object' if kind is dict else 'list'}", field=place)
    return value
