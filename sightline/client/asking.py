"""Questions of the Python client as the HTTP API takes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from sightline.client.http import download
from sightline.client.images import kind_of
from sightline.errors import BadMessageError
from sightline.settings import Settings

Moment = datetime | str
#: Forms of an export: what a spreadsheet of any kind reads, and Excel.
FORMS: Final = ("csv", "xlsx")
_EXPORT: Final = "/passages/export"


def range_of(since: Moment | None, until: Moment | None) -> dict[str, str | None]:
    """A range of time. Raises TypeError, BadMessageError: one is no time, or has no zone."""
    return {"since": _moment("since", since), "until": _moment("until", until)}


def passages_path(text: str | None, like: float | None, *, likely: bool) -> str:
    """Where passages are asked for. Raises BadMessageError: what is to be compared is missing, or compared twice."""
    if like is not None and likely:
        raise BadMessageError("like, likely: one of them; the first counts what differs, the second what was read")
    if text is None and (likely or like is not None):
        raise BadMessageError("text: give the plate to compare with", field="text")
    return "/passages/likely" if likely else "/passages" if like is None else "/passages/like"


def form_of(to: Path | IO[bytes] | str, form: str | None) -> str:
    """`form`, or what the name of the file says. Raises BadMessageError: it is none."""
    named = "" if not isinstance(to, str | Path) else Path(to).suffix.lower().removeprefix(".")
    form = form or (named if named in FORMS else "csv")
    if form not in FORMS:
        raise BadMessageError(f"form: {form!r} is none of {', '.join(FORMS)}", field="form")
    return form


def write_export(settings: Settings, to: str | Path | IO[bytes], query: Mapping[str, Any]) -> None:
    """Write `/v1/passages/export` into an open file, or into the one at a path, which is replaced when the new one is
    complete.

    Raises:
        BadMessageError: the file cannot be written.
        As `sightline.client.http.download` does.
    """
    if not isinstance(to, str | Path):
        download(settings, _EXPORT, query, to)
        return
    path = Path(to)
    if path.is_dir():
        example = path / f"passages.{query['format']}"
        raise BadMessageError(f"{path}: is a folder; name a file in it, such as {example}", field="file")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            download(settings, _EXPORT, query, file)
        part.replace(path)
    except OSError as error:
        raise BadMessageError(f"{path}: cannot be written: {error.strerror}", field="file") from error
    finally:
        part.unlink(missing_ok=True)


def _moment(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, datetime):
        raise TypeError(f"{name}: {kind_of(value)}; it is a datetime with a zone, or a text as '1h'")
    if value.tzinfo is None:
        raise BadMessageError(f"{name}: {value.isoformat()} has no zone; give it one, as tzinfo=UTC", field=name)
    return value.isoformat()
