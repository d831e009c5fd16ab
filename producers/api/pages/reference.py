"""`/openapi.json`, and `/docs`: the same document as a page that needs no network and no script."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from producers.api.access.auth import require
from producers.api.middleware.prefix import here
from producers.api.middleware.problems import Problem
from producers.api.pages.templating import render
from producers.api.uploads.forms import RAW_ONLY, json_schema, models_of
from sightline.chat.request import ChatRequest
from storage.access.keys import Role

DESCRIPTION: Final = """Cameras and uploads become rows you can trust.

Submit images with `POST /v1/jobs`, wait with `GET /v1/jobs/{job_id}?wait=30`, query what was found under
`/v1/passages`, `/v1/readings` and `/v1/detections`. Lists are pages, newest first: pass `next_cursor` on as `cursor`
until it is null.

Send a key as `X-API-Key` or `Authorization: Bearer`; viewers read, operators also submit and manage cameras.

Every error is a problem (RFC 9457) whose `detail` names field, value and cure."""

TAGS: Final = [
    {"name": name, "description": description}
    for name, description in (
        ("jobs", "Images become jobs."),
        ("chat", "Questions to a language model, as OpenAI's clients ask them."),
        ("conversations", "What was asked and answered under an id."),
        ("speech", "What is said in recordings, as OpenAI's clients ask for it."),
        ("results", "What was found."),
        ("pictures", "Frames and their pictures."),
        ("dead letters", "What could not be processed, and why."),
        ("cameras", "Where frames come from by themselves."),
        ("plates", "Lists of known plates."),
        ("sinks", "Who is told of what."),
        ("erasure", "What is forgotten on request."),
        ("operations", "Whether every frame is accounted for."),
        ("health", "For those who watch the process."),
    )
]

router = APIRouter(include_in_schema=False, dependencies=[Depends(require(Role.VIEWER))])

_METHODS: Final = ("get", "post", "patch", "delete")


@router.get("/openapi.json")
def get_document(request: Request) -> dict[str, Any]:
    return openapi(request.app) | {"servers": [{"url": here("") or "/"}]}


@router.get("/docs", response_class=HTMLResponse)
def get_page(request: Request) -> Response:
    document = openapi(request.app)
    base_url = str(request.base_url).rstrip("/")
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                entry = _entry(document, base_url, method, path, operations[method])
                groups.setdefault(entry["group"], []).append(entry)
    return render(request, "docs.html", {"document": document, "groups": groups, "base_url": base_url})


def openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
            contact=app.contact,
            license_info=app.license_info,
        )
        schemas = document["components"]["schemas"]
        schemas |= {"Problem": Problem.model_json_schema(), "JsonJob": json_schema(), **models_of(ChatRequest)}
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        # One kind of body for each operation, so that generated clients know what to send: others have their own path.
        submitting = document["paths"]["/v1/jobs"]["post"]
        submitting["parameters"] = [each for each in submitting["parameters"] if each.get("description") != RAW_ONLY]
        for operations in document["paths"].values():
            for operation in operations.values():
                if {"chat", "speech"} & set(operation["tags"]):
                    operation["responses"].pop("422", None)  # there it is a 400, as OpenAI's clients know it
        app.openapi_schema = document = _plain(document)
        return document
    return app.openapi_schema


def _plain(schema: Any) -> Any:
    """As more tools understand it: a tuple, such as a box, is a list of that length, and what may be
    left out has no default of null, which some take for a field that must be there."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _plain(part) for name, part in schema.items() if (name, part) != ("default", None)}
    parts: Any = schema.get("prefixItems")
    if isinstance(parts, list):
        kinds = [part for number, part in enumerate(parts) if part not in parts[:number]]
        schema["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        del schema["prefixItems"]
    return schema


def _entry(
    document: dict[str, Any], base_url: str, method: str, path: str, operation: dict[str, Any]
) -> dict[str, Any]:
    """What the page shows of one endpoint."""
    bodies = operation.get("requestBody", {}).get("content", {})
    return {
        "group": operation.get("tags", ["other"])[0],
        "method": method.upper(),
        "path": path,
        "anchor": f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "parameters": [
            parameter | {"about": parameter.get("description", ""), "kind": _kind(parameter["schema"])}
            for parameter in operation.get("parameters", [])
        ],
        "responses": operation["responses"],
        "commands": [_command(document, base_url, method, path, kind, body) for kind, body in bodies.items()]
        or [_command(document, base_url, method, path, "", {})],
    }


def _command(
    document: dict[str, Any], base_url: str, method: str, path: str, content_type: str, body: dict[str, Any]
) -> str:
    """The call as a curl command."""
    parts = ["curl", "-H 'X-API-Key: sl_…'"]
    example = _example(document, body)
    if content_type == "multipart/form-data":
        parts += [
            f"-F {name}={'@' + value[0] if isinstance(value, list) else value}" for name, value in example.items()
        ]
    elif content_type == "application/octet-stream":
        parts += ["-H 'Content-Type: image/jpeg'", "--data-binary @car.jpg"]
    elif content_type:
        parts += [f"-X {method.upper()}"] * (method != "post") + ["--json", f"'{json.dumps(example)}'"]
    elif method != "get":
        parts.append(f"-X {method.upper()}")
    return " ".join([*parts, f"'{base_url}{path}'"])


def _example(document: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    for example in body.get("examples", {}).values():
        return example["value"]
    schema: dict[str, Any] = body.get("schema", {})
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return document["components"]["schemas"].get(name, schema).get("example", {})


def _kind(schema: dict[str, Any]) -> str:
    """A parameter's type in a word or two."""
    choices = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    first = choices[0]
    if "$ref" in first:
        return str(first["$ref"]).rpartition("/")[2]
    bounds = [f"{first[name]:g}" for name in ("minimum", "maximum") if name in first]
    kind = str(first.get("format") or first.get("type", ""))
    return f"{kind} {'..'.join(bounds)}" if len(bounds) == 2 else kind
