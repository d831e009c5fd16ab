"""What was found: passages, detections, readings, and the findings of other pipelines."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import Caller, require
from producers.api.middleware.problems import ALWAYS, described
from producers.api.params import Country, Cursor, Limit, ListName, Since, Source, Text, Until, Zone
from producers.api.services import Given
from storage.access.keys import Role
from storage.database.paging import Page
from storage.passages.likely import find_likely
from storage.passages.search import find_passages
from storage.passages.views import FoundPassageView, LikelyPassageView, PassageView
from storage.results import corrections, queries
from storage.results.corrections import PassageNotFoundError
from storage.results.findings import list_findings as read_findings
from storage.results.views import DetectionView, FindingView, ReadingView

router = APIRouter(
    route_class=Logged, prefix="/v1", tags=["results"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))]
)

PassageId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]


@router.get("/passages", summary="Vehicles that passed")
def list_passages(
    services: Given,
    text: Text = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    list: ListName = None,
    country: Country = None,
    zone: Zone = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PassageView]:
    """Vehicles that passed a camera, one plate each, newest first."""
    return queries.list_passages(
        services.database,
        text=text,
        list_name=list,
        country=country,
        zone=zone,
        source=source,
        since=since,
        until=until,
        limit=limit,
        cursor=cursor,
    )


@router.get("/passages/like", summary="Vehicles whose plate is like another")
def list_similar_passages(
    services: Given,
    text: Annotated[str, Query(min_length=1, max_length=64, description="A plate in any spelling, no wildcards.")],
    max_distance: Annotated[
        float,
        Query(
            ge=0,
            le=2,
            description="A character changed, added or left out counts 1; one that readers confuse, as O and 0, less.",
        ),
    ] = 1,
    zone: Zone = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
) -> Page[FoundPassageView]:
    """The likeliest first, of equals the newest. There are no further pages."""
    return find_passages(
        services.database,
        text,
        max_distance=max_distance,
        zone=zone,
        source=source,
        since=since,
        until=until,
        limit=limit,
    )


@router.get("/passages/likely", summary="Vehicles that may have a plate")
def list_likely_passages(
    services: Given,
    text: Annotated[
        str, Query(min_length=3, max_length=64, description="A plate in any spelling; `?` stands for one character.")
    ],
    zone: Zone = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
) -> Page[LikelyPassageView]:
    """The likeliest first, by what was read and what else was thought of. There are no further pages."""
    return find_likely(services.database, text, zone=zone, source=source, since=since, until=until, limit=limit)


@router.get("/passages/{passage_id}", summary="One passage", responses=described(404))
def get_passage(passage_id: PassageId, services: Given) -> PassageView:
    """Passages that turn out to be one are merged: then one of the ids is gone."""
    passage = queries.get_passage(services.database, passage_id)
    if passage is None:
        raise PassageNotFoundError(passage_id)
    return passage


class PassageChange(BaseModel):
    """What an operator says of a passage."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"text": "KAB 4721"}})

    text: str | None = Field(max_length=64, description="Its plate, in any spelling; null: as it was read.")


@router.patch(
    "/passages/{passage_id}",
    summary="Correct a plate",
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def correct_passage(passage_id: PassageId, change: PassageChange, services: Given, request: Request) -> PassageView:
    """What was read stays in `correction`, and search finds both. Sinks are told `passage.update`."""
    caller = cast(Caller, request.state.caller)
    countries = services.settings.plate_countries
    return corrections.correct_passage(services.database, passage_id, change.text, caller.name, countries=countries)


@router.get("/detections", summary="Objects found")
def list_detections(
    services: Given,
    label: Annotated[str | None, Query(max_length=64, description="Only this label.")] = None,
    zone: Zone = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DetectionView]:
    """Objects found, with boxes `xyxy` in pixels of the frame, newest first."""
    return queries.list_detections(
        services.database, label=label, zone=zone, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/readings", summary="Texts read")
def list_readings(
    services: Given,
    text: Text = None,
    zone: Zone = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReadingView]:
    """Texts read, with confidence per character, newest first."""
    return queries.list_readings(
        services.database, text=text, zone=zone, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/findings", summary="What other pipelines found")
def list_findings(
    services: Given,
    pipeline: Annotated[str | None, Query(max_length=32, description="Only of this pipeline.")] = None,
    kind: Annotated[str | None, Query(max_length=64, description="Only this field of results.")] = None,
    job: Annotated[str | None, Query(max_length=64, description="Only of the job with this id.")] = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[FindingView]:
    """Fields of results that are no detections, readings or passages, newest first; of a list each entry is one."""
    return read_findings(
        services.database,
        pipeline=pipeline,
        kind=kind,
        job_id=job,
        source=source,
        since=since,
        until=until,
        limit=limit,
        cursor=cursor,
    )
