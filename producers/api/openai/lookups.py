"""Questions about what is stored: named queries, which a rule or a model chooses. See `sightline.chat.lookups`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import require
from producers.api.middleware.problems import ALWAYS
from producers.api.params import Moment
from producers.api.services import ApiServices, Given
from sightline.chat.lookups.named import Found, call_of, tools
from sightline.chat.lookups.rules import calls_for, may_be_about_rows
from sightline.chat.lookups.times import NotUnderstoodError
from storage.access.keys import Role
from storage.results import lookups
from storage.results.queries import list_passage_sources

router = APIRouter(
    route_class=Logged, prefix="/v1", tags=["results"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))]
)


class LookupArguments(BaseModel):
    """What a named query is given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"arguments": {"source": ["gate"]}}})

    arguments: dict[str, JsonValue] = {}
    asked_at: Annotated[AwareDatetime | None, Field(description="Its zone is that in which times are told.")] = None


class Lookups(BaseModel):
    """What was looked up; nothing if no rule knows the question."""

    found: list[Found]


class Tools(BaseModel):
    """The queries."""

    tools: list[dict[str, Any]] = Field(description="As OpenAI's clients name tools.")


@router.get("/lookups", summary="Named queries, as tools of a model")
def list_lookups() -> Tools:
    """Give them to a model as `tools`, and what it calls to `POST /v1/lookups/{name}`."""
    return Tools(tools=tools())


@router.get("/lookups/of-question", summary="Look up what a question is about")
def look_up(
    services: Given,
    question: Annotated[
        str, Query(min_length=1, max_length=2000, description="In English: `How many cars passed the gate today?`")
    ],
    asked_at: Annotated[
        Moment | None,
        Query(description="The time of who asks, with its zone, which says when `today` began; else that of the API."),
    ] = None,
) -> Lookups:
    """Plain rules find time, source, plate and list in a question, and choose the queries."""
    return Lookups(found=found_for(services, question, asked_at))


@router.post("/lookups/{name}", summary="Ask a named query")
def ask_lookup(
    name: Annotated[str, Path(max_length=64)], services: Given, given: LookupArguments | None = None
) -> Found:
    """Arguments that it does not have, and sources and lists that there are not, are refused."""
    given = given or LookupArguments()
    return lookups.find(services.database, call_of(name, given.arguments), given.asked_at or here_and_now())


def found_for(services: ApiServices, question: str, asked_at: datetime | None) -> list[Found]:
    """What is stored of what a question is about."""
    if not may_be_about_rows(question):
        return []
    database, asked_at = services.database, asked_at or here_and_now()
    try:
        calls = calls_for(question, asked_at, list_passage_sources(database), lookups.list_names(database))
    except NotUnderstoodError as error:
        return [Found(name="no_lookup", arguments={}, result={"not_understood": error.words}, text=str(error))]
    return [lookups.find(database, call, asked_at) for call in calls]


def here_and_now() -> datetime:
    """With the zone of this machine."""
    return datetime.now().astimezone()
