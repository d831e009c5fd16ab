"""The named queries of questions (`sightline.chat.lookups`), asked. They read, and no text of others becomes SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

import sqlalchemy as sa

from sightline.chat.lookups.named import Call, CountPassages, Found, JobStatusOf, LastPassages, arguments_of
from sightline.errors import BadMessageError
from sightline.types import JobResult
from storage.database.engine import Database
from storage.passages.views import PassageView
from storage.results.queries import count_passages, get_job, list_passage_sources, list_passages
from storage.tables import KnownPlates

_MOST_SOURCES = 50  #: that are named in an answer


def find(database: Database, call: Call, asked_at: datetime) -> Found:
    """Ask one of them. `asked_at`: its zone is the one in which times are told.

    Raises:
        BadMessageError: there is no such source or list; names those there are.
    """
    asked, zone = call.arguments, asked_at.tzinfo
    if isinstance(asked, CountPassages | LastPassages):
        _check_names(database, asked)
    result: dict[str, Any]
    if isinstance(asked, CountPassages):
        result, text = _counted(database, asked, zone)
    elif isinstance(asked, LastPassages):
        result, text = _last(database, asked, zone)
    elif isinstance(asked, JobStatusOf):
        result, text = _job(asked.job_id, get_job(database, asked.job_id))
    else:
        names = list_passage_sources(database)
        result = {"sources": names[:_MOST_SOURCES], "count": len(names)}
        text = f"Vehicles passed at {len(names)} sources: {', '.join(names[:_MOST_SOURCES]) or 'none'}."
    return Found(name=call.name, arguments=arguments_of(call), result=result, text=text)


def list_names(database: Database) -> list[str]:
    """The lists of known plates."""
    with database.read() as connection:
        return [*connection.execute(sa.select(KnownPlates.list_name).distinct()).scalars()]


def _check_names(database: Database, asked: CountPassages | LastPassages) -> None:
    """Nothing of a name that is misspelt would be believed."""
    for field, given, known in (
        ("source", asked.source, lambda: list_passage_sources(database)),
        ("list", [asked.list] if asked.list else [], lambda: list_names(database)),
    ):
        names = known() if given else []
        for name in given:
            if name not in names:
                there_are = ", ".join(names[:_MOST_SOURCES]) or "none"
                raise BadMessageError(f"{field}: {name!r} is unknown; there are {there_are}", field=field)


def _counted(database: Database, asked: CountPassages, zone: tzinfo | None) -> tuple[dict[str, Any], str]:
    by_source = count_passages(
        database,
        text=asked.plate,
        list_name=asked.list,
        sources=asked.source,
        since=asked.since,
        until=asked.until,
    )
    count = sum(by_source.values())
    several = ", ".join(f"{source}: {number}" for source, number in by_source.items())
    each = f" ({several})" if len(by_source) > 1 else ""
    subject = "1 vehicle" if count == 1 else f"{count} vehicles"
    return {"count": count, "by_source": by_source}, f"{subject} passed{_which(asked, zone)}{each}."


def _last(database: Database, asked: LastPassages, zone: tzinfo | None) -> tuple[dict[str, Any], str]:
    found: list[PassageView] = []
    for source in asked.source or (None,):
        page = list_passages(
            database,
            text=asked.plate,
            list_name=asked.list,
            source=source,
            since=asked.since,
            until=asked.until,
            limit=asked.limit,
        )
        found += page.items
    found = sorted(found, key=lambda one: one.first_seen, reverse=True)[: asked.limit]
    names = ("passage_id", "text", "source_id", "first_seen", "confidence")
    result = {"passages": [one.model_dump(mode="json", include={*names}) for one in found]}
    if not found:
        return result, f"No vehicle passed{_which(asked, zone)}."
    told = "; ".join(f"{one.text} at {one.source_id}, {_spelled(one.first_seen, zone)}" for one in found)
    return result, f"Vehicles that passed{_which(asked, zone)}, the newest first: {told}."


def _job(job_id: str, found: JobResult | None) -> tuple[dict[str, Any], str]:
    if found is None:
        return {"status": None}, f"Job {job_id} is unknown, or not finished."
    failed = [one.error.message[:200] for one in found.frames if one.error]
    why = f": {failed[0]}" if failed else ""
    items, status = len(found.frames), found.status.value
    result = {"status": status, "pipeline": found.pipeline, "items": items, "errors": failed[:5]}
    return result, f"Job {job_id} of pipeline {found.pipeline} with {items} items is {status}{why}."


def _which(asked: CountPassages | LastPassages, zone: tzinfo | None) -> str:
    """What was asked for, in words."""
    parts = [f" with plate {asked.plate}" if asked.plate else "", f" on list {asked.list}" if asked.list else ""]
    parts.append(_at(asked.source))
    parts.append(f" from {_spelled(asked.since, zone)}" if asked.since else "")
    parts.append(f" until {_spelled(asked.until, zone)}" if asked.until else " until now" if asked.since else "")
    return "".join(parts)


def _at(sources: Sequence[str]) -> str:
    return f" at {', '.join(sources)}" if sources else " at all sources"


def _spelled(at: datetime, zone: tzinfo | None) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
