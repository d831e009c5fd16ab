"""`/v1/conversations`: what was asked and answered under an id, for whose key it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import caller_of, may, require
from producers.api.middleware.problems import ALWAYS, described
from producers.api.openai.history import owner_of
from producers.api.params import Cursor, Limit
from producers.api.services import Given
from storage.access.keys import Role
from storage.conversations import conversations
from storage.conversations.conversations import ConversationView, MessageView, Owner
from storage.database.paging import Page
from storage.retention.erasure import Erased, erase_jobs

router = APIRouter(
    route_class=Logged,
    prefix="/v1/conversations",
    tags=["conversations"],
    responses=ALWAYS,
    dependencies=[Depends(require(Role.OPERATOR))],
)

ConversationId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class Conversation(BaseModel):
    """A conversation with its newest messages, at most 1,000, oldest first."""

    conversation: ConversationView
    messages: list[MessageView]


async def _owner(request: Request) -> Owner:
    return owner_of(await caller_of(request), sees_all=may(request, Role.ADMIN))


Whose = Annotated[Owner, Depends(_owner)]


@router.get("", summary="Conversations")
def list_conversations(
    services: Given, whose: Whose, limit: Limit = 100, cursor: Cursor = None
) -> Page[ConversationView]:
    """Those of this key, or of all for an admin; the last one that something was said in comes first."""
    return conversations.list_conversations(services.database, whose, limit=limit, cursor=cursor)


@router.get("/{conversation_id}", summary="One conversation", responses=described(404))
def get_conversation(conversation_id: ConversationId, services: Given, whose: Whose) -> Conversation:
    """What was said in it. Answers that are not there yet are missing."""
    view, messages = conversations.show_conversation(services.database, conversation_id, whose)
    return Conversation(conversation=view, messages=messages)


@router.delete("/{conversation_id}", summary="Forget a conversation", responses=described(404, 409))
def delete_conversation(conversation_id: ConversationId, services: Given, whose: Whose) -> Erased:
    """With its questions and answers, wherever they are stored. Not while one of them is open: its answer would be
    stored afterwards, and nobody would know by which name to find it."""
    job_ids = conversations.jobs_of(services.database, conversation_id, whose)
    if open_jobs := services.publisher.ledger.which_are_open(job_ids):
        raise conversations.ConversationOpenError(conversation_id, open_jobs)
    # It goes last: while something of it is left, whoever is told that this failed can do it again.
    erased = erase_jobs(services.database, services.pictures, job_ids)
    services.publisher.ledger.forget(erased.job_ids)
    conversations.delete_conversation(services.database, conversation_id, whose)
    return erased.model_copy(update={"conversations": 1})
