"""Templates, and how they write times and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape

from producers.api.middleware.prefix import here
from storage.cameras import is_folder

_CODE: Final = re.compile(r"`([^`]+)`")


def render(request: Request, name: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
    """A page that no cache keeps: it shows a moment."""
    headers = {"Cache-Control": "no-store"}
    return _templates().TemplateResponse(
        request, name, {"root": here(""), **values}, status_code=status, headers=headers
    )


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, as people say it."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago" if seconds else "now"


def clock(moment: datetime, now: datetime) -> str:
    """The time; with its date unless that is today's. Scripts write it in the zone of who looks."""
    at, today = moment.astimezone(UTC), now.astimezone(UTC)
    return f"{at:%H:%M:%S} UTC" if at.date() == today.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def number(value: object) -> str:
    """12,345; a question mark for what is not known."""
    return f"{value:,}" if isinstance(value, int) else "?"


def code(text: str) -> Markup:
    """A text in which `this` is set as code; everything is escaped."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


@cache
def _templates() -> Jinja2Templates:
    templates = Jinja2Templates(directory=Path(__file__).parents[1] / "templates")
    cast(dict[str, Any], templates.env.filters).update(ago=ago, clock=clock, code=code, number=number)
    cast(dict[str, Any], templates.env.tests).update(folder=is_folder)
    templates.env.trim_blocks = templates.env.lstrip_blocks = True
    return templates
