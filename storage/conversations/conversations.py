"""What was asked and answered under an id, kept for whose key it is.

A question is noted with its job before that is published; its answer is taken from the job's result when the
conversation is next looked at. So nothing is lost where whoever asked, or the API, goes away in between.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from sightline.errors import SightlineError
from sightline.types import Value
from storage.database.engine import Database, insert_into
from storage.database.paging import Page, read_page
from storage.jobs.wire_results import load_job
from storage.tables import Conversations, Messages

#: Of the answer: a request has fewer messages.
_ANSWER: Final = 1_000_000
#: Of what the model is told first: who it is, how to answer.
SYSTEM_ROLES: Final = ("system", "developer")
#: As many messages as a question may have are sent along, the newest.
MAX_HISTORY: Final = 1000


class ConversationNotFoundError(SightlineError):
    reason = "conversation_not_found"

    def __init__(self, conversation_id: str) -> None:
        super().__init__(
            f"there is no conversation {conversation_id!r} of this key; choose another id, or the right key"
        )


class ConversationOpenError(SightlineError):
    reason = "conversation_open"

    def __init__(self, conversation_id: str, job_ids: Collection[str]) -> None:
        which = ", ".join(sorted(job_ids)[:3])
        super().__init__(
            f"conversation {conversation_id!r}: {len(job_ids)} of its questions are not answered yet ({which}); wait, "
            "or cancel them (`sightline cancel JOB`, `DELETE /v1/jobs/{id}`), then forget it"
        )


class Owner(NamedTuple):
    """Whose conversations somebody may have."""

    key_id: str
    sees_all: bool = False  #: an admin


class ConversationView(Value):
    conversation_id: str
    key_id: str
    created_at: datetime
    updated_at: datetime


class MessageView(Value):
    """`content` as OpenAI's clients send messages; of a picture or a recording it says that there was one."""

    turn: int
    role: str
    content: dict[str, Any]
    job_id: str
    at: datetime


def history_of(
    database: Database, conversation_id: str, key_id: str, idempotency_key: str | None
) -> list[dict[str, Any]]:
    """What was said before, oldest first; nothing of one that is not there yet. A question that is repeated with its
    `idempotency_key` gets what was said before it the first time. Of a question without an answer (refused, cancelled,
    dead, or still worked on) nothing but what the model is told first: many models take questions and answers by turns
    alone, and one that was too long would push out all that was said before it.

    Raises:
        ConversationNotFoundError: it is another key's.
    """
    if _row(database, conversation_id, Owner(key_id)) is None:
        with database.read() as connection:
            known = sa.select(Conversations.conversation_id).where(Conversations.conversation_id == conversation_id)
            if connection.execute(known).first() is not None:
                raise ConversationNotFoundError(conversation_id)
        return []
    _take_answers(database, conversation_id)
    of_it = Messages.conversation_id == conversation_id
    answered = sa.select(Messages.turn).where(of_it, Messages.position == _ANSWER)
    is_told = sa.or_(Messages.turn.in_(answered), Messages.role.in_(SYSTEM_ROLES))
    wanted = sa.select(Messages.content).where(of_it, is_told)
    if idempotency_key is not None:
        same = sa.select(sa.func.min(Messages.turn)).where(of_it, Messages.idempotency_key == idempotency_key)
        wanted = wanted.where(Messages.turn < sa.func.coalesce(same.scalar_subquery(), _ANSWER))
    newest = wanted.order_by(Messages.turn.desc(), Messages.position.desc()).limit(MAX_HISTORY)
    with database.read() as connection:
        return list(connection.scalars(newest))[::-1]


def note_question(
    database: Database,
    conversation_id: str,
    owner: Owner,
    source_id: str,
    messages: Sequence[dict[str, Any]],
    job_id: str,
    idempotency_key: str | None,
) -> bool:
    """Note what is asked, in a new turn; False if it was noted before."""
    now = datetime.now(UTC)
    row = {"conversation_id": conversation_id, "key_id": owner.key_id, "source_id": source_id}
    with database.write() as connection:
        new = insert_into(connection, Conversations).on_conflict_do_nothing()
        connection.execute(new, [row | {"created_at": now, "updated_at": now}])
        of_it = Conversations.conversation_id == conversation_id
        held = connection.scalar(sa.select(Conversations.key_id).where(of_it).with_for_update())
        if held != owner.key_id:
            raise ConversationNotFoundError(conversation_id)
        of_messages = Messages.conversation_id == conversation_id
        if connection.execute(sa.select(Messages.turn).where(of_messages, Messages.job_id == job_id)).first():
            return False
        turn = (connection.scalar(sa.select(sa.func.max(Messages.turn)).where(of_messages)) or 0) + 1
        said = [
            {
                "conversation_id": conversation_id,
                "turn": turn,
                "position": position,
                "role": message["role"],
                "content": message,
                "job_id": job_id,
                "idempotency_key": idempotency_key,
                "at": now,
            }
            for position, message in enumerate(messages)
        ]
        connection.execute(sa.insert(Messages), said)
        connection.execute(sa.update(Conversations).where(of_it).values(updated_at=now))
    return True


def forget_question(database: Database, conversation_id: str, job_id: str) -> None:
    """It was not accepted."""
    with database.write() as connection:
        of_it = Messages.conversation_id == conversation_id
        connection.execute(sa.delete(Messages).where(of_it, Messages.job_id == job_id))
        remove_empty_conversations(connection, [conversation_id])


def list_conversations(
    database: Database, owner: Owner, *, limit: int = 100, cursor: str | None = None
) -> Page[ConversationView]:
    """Newest first."""
    rows = sa.select(Conversations.__table__)
    if not owner.sees_all:
        rows = rows.where(Conversations.key_id == owner.key_id)
    keys = (Conversations.updated_at, Conversations.conversation_id)
    return read_page(database, rows, keys, _view, limit=limit, cursor=cursor)


def show_conversation(
    database: Database, conversation_id: str, owner: Owner
) -> tuple[ConversationView, list[MessageView]]:
    """It, and its newest messages, oldest first. Raises ConversationNotFoundError."""
    row = _row(database, conversation_id, owner)
    if row is None:
        raise ConversationNotFoundError(conversation_id)
    _take_answers(database, conversation_id)
    newest = (
        sa.select(Messages.__table__)
        .where(Messages.conversation_id == conversation_id)
        .order_by(Messages.turn.desc(), Messages.position.desc())
        .limit(MAX_HISTORY)
    )
    with database.read() as connection:
        found = connection.execute(newest).mappings().all()
    return _view(row), [
        MessageView.model_validate({n: one[n] for n in MessageView.model_fields}) for one in found[::-1]
    ]


def jobs_of(database: Database, conversation_id: str, owner: Owner) -> list[str]:
    """The jobs of its questions. Raises ConversationNotFoundError."""
    if _row(database, conversation_id, owner) is None:
        raise ConversationNotFoundError(conversation_id)
    of_it = sa.select(Messages.job_id).where(Messages.conversation_id == conversation_id)
    with database.read() as connection:
        return list(connection.scalars(of_it.distinct()))


def delete_conversation(database: Database, conversation_id: str, owner: Owner) -> None:
    """Forget it, if it is there; what its jobs stored stays."""
    if _row(database, conversation_id, owner) is None:
        return
    with database.write() as connection:
        connection.execute(sa.delete(Messages).where(Messages.conversation_id == conversation_id))
        connection.execute(sa.delete(Conversations).where(Conversations.conversation_id == conversation_id))


def forget_questions(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """Take out what was asked by these jobs, and answered, and what is empty then."""
    of_jobs = Messages.job_id.in_(job_ids)
    conversations = list(connection.scalars(sa.select(Messages.conversation_id).where(of_jobs).distinct()))
    if conversations:
        connection.execute(sa.delete(Messages).where(of_jobs))
        remove_empty_conversations(connection, conversations)


def forget_source(database: Database, source_id: str) -> int:
    """All conversations of a source; returns how many there were."""
    of_source = sa.select(Conversations.conversation_id).where(Conversations.source_id == source_id)
    with database.write() as connection:
        ids = list(connection.scalars(of_source))
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            connection.execute(sa.delete(Messages).where(Messages.conversation_id.in_(some)))
            connection.execute(sa.delete(Conversations).where(Conversations.conversation_id.in_(some)))
    return len(ids)


def remove_empty_conversations(connection: sa.Connection, conversation_ids: Sequence[str]) -> int:
    """Those of them in which nothing is said any more."""
    has_messages = sa.exists().where(Messages.conversation_id == Conversations.conversation_id)
    empty = sa.and_(Conversations.conversation_id.in_(conversation_ids), ~has_messages)
    return connection.execute(sa.delete(Conversations).where(empty)).rowcount if conversation_ids else 0


def _row(database: Database, conversation_id: str, owner: Owner) -> sa.RowMapping | None:
    wanted = sa.select(Conversations.__table__).where(Conversations.conversation_id == conversation_id)
    if not owner.sees_all:
        wanted = wanted.where(Conversations.key_id == owner.key_id)
    with database.read() as connection:
        return connection.execute(wanted).mappings().first()


def _view(row: sa.RowMapping) -> ConversationView:
    return ConversationView.model_validate({name: row[name] for name in ConversationView.model_fields})


def _take_answers(database: Database, conversation_id: str) -> None:
    """Note the answers that came since; a question that was refused or dropped has none."""
    of_it = Messages.conversation_id == conversation_id
    answered = sa.select(Messages.turn).where(of_it, Messages.position == _ANSWER)
    open_turns = sa.select(Messages.turn, Messages.job_id).where(of_it, Messages.turn.not_in(answered)).distinct()
    with database.read() as connection:
        results = [
            (turn, job_id, load_job(connection, job_id)) for turn, job_id in connection.execute(open_turns).all()
        ]
    rows: list[dict[str, Any]] = []
    for turn, job_id, result in results:
        message = _answer_in(result.frames[0].found) if result is not None and result.frames else None
        if message is not None and result is not None:
            row = {"conversation_id": conversation_id, "turn": turn, "position": _ANSWER, "role": "assistant"}
            rows.append(row | {"content": message, "job_id": job_id, "idempotency_key": None, "at": result.finished_at})
    if rows:
        with database.write() as connection:
            connection.execute(insert_into(connection, Messages).on_conflict_do_nothing(), rows)


def _answer_in(found: dict[str, Any]) -> dict[str, Any] | None:
    text, calls = found.get("answer"), list(found.get("tool_calls") or ())
    if text is None and not calls:
        return None
    return {"role": "assistant", "content": text or ""} | ({"tool_calls": calls} if calls else {})
