"""Which JSON schemas an answer can be held to. What the engine would choke on is refused before, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from workers.chat.engine import BadQuestionError

_TYPES: Final = frozenset(("object", "array", "string", "integer", "number", "boolean", "null"))
#: That say something to people, and nothing about the answer.
_REMARKS: Final = frozenset(("title", "description", "default", "examples", "$schema", "$id", "$comment"))


def schema_of(wanted: Mapping[str, JsonValue] | None) -> str:
    """The JSON schema that a `response_format` asks for; empty: any text will do.

    Raises:
        BadQuestionError: it is none, or asks for something that cannot be held to.
    """
    kind = (wanted or {}).get("type", "text")
    if wanted is None or kind == "text":
        return ""
    if kind == "json_object":
        return json.dumps({"type": "object"})
    given = wanted.get("json_schema")
    schema = given.get("schema") if kind == "json_schema" and isinstance(given, dict) else None
    if not isinstance(schema, dict):
        raise BadQuestionError(
            f"response_format: {str(wanted)!r:.80} is none of text, json_object, and json_schema with its schema"
        )
    known = {f"#/{where}/{name}" for where in ("$defs", "definitions") for name in _part(schema, where, dict, where)}
    _check(schema, "response_format.json_schema.schema", known)
    return json.dumps(schema)


def _check(schema: Any, where: str, known: set[str]) -> None:
    """Raises BadQuestionError, naming the place."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise BadQuestionError(f"{where}: {schema!r:.40} is no schema")
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
                raise BadQuestionError(f"{place}: {value!r:.40} is not one of {', '.join(sorted(_TYPES))}")
        elif word == "$ref":
            if value not in known:
                raise BadQuestionError(f"{place}: {value!r:.60} is not among its $defs")
        elif word in ("required", "enum"):
            _part(schema, word, list, place)
        elif word != "const" and word not in _REMARKS:
            raise BadQuestionError(f"{place}: this engine cannot hold an answer to it; leave it out")


def _part(schema: dict[str, Any], word: str, kind: type[Any], place: str) -> Any:
    value = schema.get(word, kind())
    if not isinstance(value, kind):
        raise BadQuestionError(f"{place}: {value!r:.40} is no {'object' if kind is dict else 'list'}")
    return value
