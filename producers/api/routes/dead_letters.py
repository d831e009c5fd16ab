"""`/v1/dead-letters`: what gave up, why, and what to do about it: replay or discard."""

from __future__ import annotations

from typing import Annotated, Final, Self

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import require
from producers.api.middleware.prefix import here
from producers.api.middleware.problems import ALWAYS, NotFoundError, described
from producers.api.params import Cursor, Limit, Moment, Since, Source, Until
from producers.api.routes.pictures import JPEG, JpegResponse, picture_response, read_picture
from producers.api.services import ApiServices, Given
from producers.replay import LetterNotReplayableError, Refusal, refusals, replay_letters
from sightline.wire.reasons import explain
from storage.access.keys import Role
from storage.database.paging import Page
from storage.results import queries
from storage.results.dead_letters import discard_letters, get_letters
from storage.results.views import DeadLetterView

router = APIRouter(
    route_class=Logged,
    prefix="/v1/dead-letters",
    tags=["dead letters"],
    responses=ALWAYS,
    dependencies=[Depends(require(Role.VIEWER))],
)
_OPERATOR: Final = [Depends(require(Role.OPERATOR))]

LetterId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
LetterPath = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


class LetterDetail(DeadLetterView):
    """A dead letter with its reason in words and the way to its picture and job."""

    explanation: str
    links: dict[str, str]


class Choice(BaseModel):
    """Which letters: by `ids`, or all of the list that `reason`, `source`, `since` and `until` leave."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "model_unavailable", "since": "1h"}}
    )

    ids: Annotated[list[LetterId], Field(min_length=1, max_length=1000)] | None = None
    reason: Annotated[str, Field(max_length=64)] | None = None
    source: Annotated[str, Field(max_length=64)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=1000, description="At most so many in one request.")] = 1000
    cursor: Annotated[str, Field(max_length=512, description="`next_cursor` of the answer before.")] | None = None

    @model_validator(mode="after")
    def _ids_or_filters(self) -> Self:
        filtered = any(value is not None for value in (self.reason, self.source, self.since, self.until))
        if filtered == (self.ids is not None):
            raise ValueError("give either ids, or at least one of reason, source, since, until")
        return self


class Done(BaseModel):
    """How many letters it was done to, those it could not be done to, and where to go on if there are more."""

    count: int
    refused: list[Refusal] = []
    next_cursor: str | None = None


@router.get("", summary="Frames that gave up")
def list_dead_letters(
    services: Given,
    reason: Annotated[str | None, Query(max_length=64, description="Only this reason.")] = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    ended: Annotated[bool, Query(description="Also those that are stored since or were discarded.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DeadLetterView]:
    """Frames that gave up and are still trouble, each with its reason, newest first."""
    return queries.list_dead_letters(
        services.database,
        reason=reason,
        source=source,
        since=since,
        until=until,
        ended=ended,
        limit=limit,
        cursor=cursor,
    )


@router.get("/{letter_id}", summary="One dead letter", responses=described(404))
def get_dead_letter(letter_id: LetterPath, services: Given) -> LetterDetail:
    """One dead letter with its reason in words."""
    return describe_letter(services, letter_id)


@router.get(
    "/{letter_id}/picture",
    summary="Its picture as it came",
    response_class=JpegResponse,
    responses=described(404) | JPEG,
)
def get_dead_letter_picture(letter_id: LetterPath, services: Given) -> Response:
    """The picture as it came, whatever is wrong with it."""
    (letter,) = get_letters(services.database, [letter_id])
    if letter.frame is None:
        raise NotFoundError("picture", letter_id, hint="it is a message that was no job")
    return picture_response(read_picture(services, letter.frame.frame_id))


@router.post(
    "/replay",
    operation_id="replay_dead_letters",
    summary="Publish dead frames again",
    responses=described(404, 409, 429),
    dependencies=_OPERATOR,
)
def replay(choice: Choice, services: Given) -> Done:
    """In the bulk lane. If one of `ids` cannot be replayed, none is; of the others those that can are."""
    page = _chosen(services, choice)
    if choice.ids:
        _refuse(refusals(page.items))
    refused = replay_letters(services.database, services.pictures, services.publisher, page.items)
    if choice.ids:
        _refuse(refused)
    return Done(count=len(page.items) - len(refused), refused=refused, next_cursor=page.next_cursor)


@router.post(
    "/discard",
    operation_id="discard_dead_letters",
    summary="Leave dead letters be",
    responses=described(404),
    dependencies=_OPERATOR,
)
def discard(choice: Choice, services: Given) -> Done:
    """Mark dead letters as of no further interest. The rows stay; only the list leaves them out."""
    page = _chosen(services, choice)
    count = discard_letters(services.database, [letter.letter_id for letter in page.items])
    return Done(count=count, next_cursor=page.next_cursor)


def describe_letter(services: ApiServices, letter_id: str) -> LetterDetail:
    """Raises LetterNotFoundError."""
    (letter,) = get_letters(services.database, [letter_id])
    links = {"self": here(f"/v1/dead-letters/{letter_id}")}
    if letter.frame is not None:
        links["job"] = here(f"/v1/jobs/{letter.job_id}")
    if letter.picture_kept:
        links["picture"] = here(f"/v1/dead-letters/{letter_id}/picture")
    return LetterDetail(**dict(letter), explanation=explain(letter.reason), links=links)


def _chosen(services: ApiServices, choice: Choice) -> Page[DeadLetterView]:
    if choice.ids:
        return Page[DeadLetterView](items=tuple(get_letters(services.database, choice.ids)))
    return queries.list_dead_letters(
        services.database,
        reason=choice.reason,
        source=choice.source,
        since=choice.since,
        until=choice.until,
        limit=choice.limit,
        cursor=choice.cursor,
    )


def _refuse(refused: list[Refusal]) -> None:
    if refused:
        raise LetterNotReplayableError(refused[0])
