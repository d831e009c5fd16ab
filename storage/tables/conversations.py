"""Conversations with a language model, as far as somebody wants them kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base


class Conversations(Base):
    __tablename__ = "conversations"

    conversation_id: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]  #: of the API key whose it is
    source_id: Mapped[str]  #: of its questions
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index(None, "updated_at", "conversation_id"), Index(None, "source_id"))


class Messages(Base):
    """One message. Those of one request are a turn; its answer comes after them."""

    __tablename__ = "messages"

    conversation_id: Mapped[str] = mapped_column(
        ForeignKey(Conversations.conversation_id, ondelete="CASCADE"), primary_key=True
    )
    turn: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)  #: within its turn
    role: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(
        JSON(none_as_null=True)
    )  #: the message, as OpenAI's clients send it
    job_id: Mapped[str]  #: the question of its turn
    idempotency_key: Mapped[str | None]
    at: Mapped[datetime]

    __table_args__ = (Index(None, "job_id"), Index(None, "at"))
