"""`/v1/sinks`: rows that writers and the deliver role follow within two seconds."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr
from starlette.concurrency import run_in_threadpool

from producers.api.access.audit_trail import ChangesLogged
from producers.api.access.auth import require
from producers.api.middleware.prefix import here
from producers.api.middleware.problems import ALWAYS, described
from producers.api.params import Moment
from producers.api.services import ApiServices, Given
from sightline.errors import BadMessageError
from sightline.types import SourceId
from sightline.wire.events import PASSAGE_EVENTS, Event, SinkKind
from storage.access.keys import Role
from storage.database.paging import check_range
from storage.sinks import deliveries, sinks
from storage.sinks.deliveries import SinkCounts
from storage.sinks.options import SinkOptions
from storage.sinks.sinks import Sink

router = APIRouter(route_class=ChangesLogged, prefix="/v1/sinks", tags=["sinks"], responses=ALWAYS)

SinkId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Events = Annotated[list[Event], Field(min_length=1, description="What it gets.")]
Sources = Annotated[list[SourceId], Field(description="Whose events it gets; none: everybody's.")]
_LOOK_EVERY_S = 0.1


class NewSink(BaseModel):
    """A sink to add. Its kind follows from the URL."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"sink_id": "gate-opener", "url": "http://10.0.0.9/hook", "sources": ["gate"]}},
    )

    sink_id: SourceId
    url: SecretStr = Field(
        description="`http(s)://…` a webhook, `mqtt(s)://user:password@host/prefix`, `kafka(s)://host/topic`, "
        "`file:///folder` for JSON lines."
    )
    secret: SecretStr | None = Field(None, description="`whsec_…` to sign webhooks with; left out: one is made.")
    events: Events = list(PASSAGE_EVENTS)
    sources: Sources = []
    options: SinkOptions = Field(SinkOptions(), description="What it wants otherwise than other sinks.")
    enabled: bool = True


class SinkChange(BaseModel):
    """The fields to change; the others stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"enabled": False}})

    url: SecretStr | None = None
    secret: SecretStr | None = None
    events: Events | None = None
    sources: Sources | None = None
    options: dict[str, JsonValue] | None = Field(
        None, description="The options to change, as of a new sink; null ends one, the others stay."
    )
    enabled: bool | None = None


class SinkView(SinkCounts):
    """A sink as it is shown: no secret, and of a webhook's URL only the host."""

    sink_id: str
    kind: SinkKind
    url: str
    events: tuple[Event, ...]
    sources: tuple[str, ...]
    options: SinkOptions
    enabled: bool
    disabled_reason: str | None
    created_at: datetime


class AddedSink(SinkView):
    """`secret` is there if it was made here, and shown this once."""

    secret: str | None = None


class SinkList(BaseModel):
    items: list[SinkView]


class Tested(BaseModel):
    """`sent`: null while the test event waits. `error`: what the receiver did."""

    sent: bool | None
    error: str | None = None


class Range(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"since": "2h", "until": "1h"}})

    since: Moment = Field(description="From then on: `15m`, `1h`, `2d`, epoch seconds or RFC 3339.")
    until: Moment | None = Field(None, description="Before then; left out: now.")


class NewSecret(BaseModel):
    """It is shown this once. What is sent is signed with it and with the one before."""

    secret: str


class Replayed(BaseModel):
    queued: int


@router.get("", summary="Sinks and how they do", dependencies=[Depends(require(Role.VIEWER))])
def list_sinks(services: Given) -> SinkList:
    """All sinks, and how many events wait, were sent and were given up."""
    return SinkList(items=sink_views(services))


@router.post(
    "", summary="Add a sink", status_code=201, responses=described(409), dependencies=[Depends(require(Role.OPERATOR))]
)
def add_sink(new: NewSink, services: Given, response: Response) -> AddedSink:
    """Add a sink. It gets what happens from two seconds later on."""
    sink = sinks.add_sink(services.database, sinks.new_sink(**new.model_dump(exclude_unset=True, exclude_none=True)))
    response.headers["Location"] = here(f"/v1/sinks/{sink.sink_id}")
    made = sink.secret.get_secret_value() if sink.secret is not None and new.secret is None else None
    return AddedSink(**_fields(sink, SinkCounts()), secret=made)


@router.get("/{sink_id}", summary="One sink", responses=described(404), dependencies=[Depends(require(Role.VIEWER))])
def get_sink(sink_id: SinkId, services: Given) -> SinkView:
    """One sink."""
    return _view(services, sinks.get_sink(services.database, sink_id))


@router.patch(
    "/{sink_id}",
    summary="Change, pause or resume a sink",
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def change_sink(sink_id: SinkId, change: SinkChange, services: Given) -> SinkView:
    """Change, pause (`enabled: false`) or resume a sink. While it is paused its events wait."""
    fields: dict[str, Any] = change.model_dump(exclude_unset=True, exclude_none=True)
    if not fields:
        raise BadMessageError("body: no field to change; give at least one", field="body")
    return _view(services, sinks.update_sink(services.database, sink_id, **fields))


@router.delete(
    "/{sink_id}",
    summary="Remove a sink",
    responses=described(404),
    status_code=204,
    dependencies=[Depends(require(Role.OPERATOR))],
)
def remove_sink(sink_id: SinkId, services: Given) -> None:
    """Remove a sink and what waits for it."""
    sinks.remove_sink(services.database, sink_id)


@router.post(
    "/{sink_id}/secret",
    summary="Give a webhook a new secret",
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def change_sink_secret(sink_id: SinkId, services: Given) -> NewSecret:
    """Until the old one is forgotten both sign, so that the receiver can take its time."""
    return NewSecret(secret=sinks.change_secret(services.database, sink_id))


@router.delete(
    "/{sink_id}/secret",
    summary="Forget a webhook's old secret",
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def forget_sink_secret(sink_id: SinkId, services: Given) -> SinkView:
    """The new one alone signs from now on."""
    return _view(services, sinks.forget_previous_secret(services.database, sink_id))


@router.post(
    "/{sink_id}/test",
    operation_id="test_sink",
    summary="Send a test event",
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
async def send_test(
    sink_id: SinkId,
    services: Given,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the outcome.")] = 15,
) -> Tested:
    """Send one event of type `sink.test` on the way of all others."""
    delivery_id = await run_in_threadpool(_begin_test, services, sink_id)
    until = time.monotonic() + wait
    # Between two looks it holds no thread: those are for all other requests too.
    while (outcome := await run_in_threadpool(deliveries.outcome_of, services.database, delivery_id)) is None:
        if time.monotonic() >= until:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    sent, error = outcome or (None, None)
    return Tested(sent=sent, error=error)


def _begin_test(services: ApiServices, sink_id: str) -> str:
    if not sinks.get_sink(services.database, sink_id).enabled:
        raise BadMessageError(f"sink_id: {sink_id!r} is paused or disabled; resume it first", field="sink_id")
    return deliveries.add_test(services.database, sink_id)


@router.post(
    "/{sink_id}/replay",
    summary="Send events once more",
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def replay_sink(sink_id: SinkId, between: Range, services: Given) -> Replayed:
    """Send the events of a range of time once more, under the same ids."""
    sinks.get_sink(services.database, sink_id)
    until = between.until or datetime.now(UTC)
    check_range(between.since, until)
    return Replayed(queued=deliveries.replay(services.database, sink_id, between.since, until))


def sink_views(services: ApiServices) -> list[SinkView]:
    rows = sinks.list_sinks(services.database)
    counts = deliveries.count_deliveries(services.database) if rows else {}
    return [SinkView(**_fields(row, counts.get(row.sink_id, SinkCounts()))) for row in rows]


def _view(services: ApiServices, sink: Sink) -> SinkView:
    return SinkView(**_fields(sink, deliveries.count_deliveries(services.database).get(sink.sink_id, SinkCounts())))


def _fields(sink: Sink, counts: SinkCounts) -> dict[str, Any]:
    plain = sink.model_dump(exclude={"url", "secret"})
    return plain | counts.model_dump() | {"kind": sink.kind, "url": sink.shown_url}
