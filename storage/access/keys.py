"""API keys. Only a hash is stored: a key is shown once, when it is made.

A key is `sl_<key_id>_<secret>`; the secret has 256 random bits, so a plain SHA-256 of it is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from sightline.errors import BadMessageError
from sightline.types import Value
from storage.database.acting import tell
from storage.database.engine import Database
from storage.tables import ApiKeys, PageSessions

PREFIX: Final = "sl_"
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
#: A session of the page ends after this.
SESSION_AGE_S: Final = 12 * 3600
_MOST_TOKENS: Final = 1_000_000_000


class Role(StrEnum):
    """Each may do what the one before may, and more."""

    VIEWER = "viewer"  #: query
    OPERATOR = "operator"  #: submit jobs, manage cameras
    ADMIN = "admin"  #: everything, also read the audit log


class ApiKey(Value):
    """What is known of a key; never the key itself."""

    key_id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None = None
    tokens_per_minute: int | None = None  #: in questions and answers of chat; None: as the setting says, 0: any number


def create_key(database: Database, name: str, role: Role | str, *, tokens_per_minute: int | None = None) -> str:
    """Make a key and return it: the only time it can be read.

    Raises BadMessageError for an unknown role and a limit that is none.
    """
    if role not in list(Role):
        raise BadMessageError(f"role: {role!r} is none of {', '.join(Role)}", field="role")
    _check_limit(tokens_per_minute)
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES)
    new = sa.insert(ApiKeys).values(
        key_id=key_id,
        name=name,
        role=Role(role).value,
        secret_sha256=_sha256(secret),
        created_at=datetime.now(UTC),
        tokens_per_minute=tokens_per_minute,
    )
    tell(key_id=key_id)
    with database.write() as connection:
        connection.execute(new)
    return f"{PREFIX}{key_id}_{secret}"


def check_key(database: Database, plaintext: str) -> ApiKey | None:
    """Whose key this is; None if it is unknown, revoked or no key at all."""
    key_id, _, secret = plaintext.removeprefix(PREFIX).partition("_")
    if not plaintext.startswith(PREFIX) or not key_id.isalnum() or not key_id.isascii():
        return None
    with database.read() as connection:
        rows = connection.execute(sa.select(ApiKeys.__table__).where(ApiKeys.key_id == key_id)).mappings()
        row = rows.first()
    # Compared even without a row, and in constant time: how long it takes tells nothing about the secret.
    right = hmac.compare_digest(_sha256(secret), row["secret_sha256"] if row is not None else _sha256(""))
    return _view(row) if row is not None and right and row["revoked_at"] is None else None


def open_session(database: Database, key_id: str) -> str:
    """A token that stands for a key on the page, until it expires, is closed, or the key is revoked."""
    token, now = secrets.token_urlsafe(_SECRET_BYTES), datetime.now(UTC)
    row = {"session_sha256": _sha256(token), "key_id": key_id, "expires_at": now + timedelta(seconds=SESSION_AGE_S)}
    with database.write() as connection:
        connection.execute(sa.delete(PageSessions).where(PageSessions.expires_at < now))
        connection.execute(sa.insert(PageSessions), [row])
    return token


def check_session(database: Database, token: str) -> ApiKey | None:
    """Whose session this is; None if it is unknown, over, or its key is revoked."""
    wanted = (
        sa.select(ApiKeys.__table__)
        .join(PageSessions, PageSessions.key_id == ApiKeys.key_id)
        .where(PageSessions.session_sha256 == _sha256(token), PageSessions.expires_at > datetime.now(UTC))
    )
    with database.read() as connection:
        row = connection.execute(wanted.where(ApiKeys.revoked_at.is_(None))).mappings().first()
    return None if row is None else _view(row)


def close_session(database: Database, token: str) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(PageSessions).where(PageSessions.session_sha256 == _sha256(token)))


def list_keys(database: Database) -> list[ApiKey]:
    """All keys, revoked ones too, oldest first."""
    with database.read() as connection:
        rows = connection.execute(sa.select(ApiKeys.__table__).order_by(ApiKeys.created_at, ApiKeys.key_id))
        return [_view(row) for row in rows.mappings()]


def revoke_key(database: Database, key_id: str) -> bool:
    """End a key at once. False if there is no such key or it was revoked before."""
    ended = (
        sa.update(ApiKeys)
        .where(ApiKeys.key_id == key_id, ApiKeys.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )
    with database.write() as connection:
        return connection.execute(ended.returning(ApiKeys.key_id)).first() is not None


def limit_key(database: Database, key_id: str, tokens_per_minute: int | None) -> bool:
    """Give a key another limit; it holds within seconds. False if there is no such valid key.

    Raises BadMessageError for a limit that is none.
    """
    _check_limit(tokens_per_minute)
    changed = (
        sa.update(ApiKeys)
        .where(ApiKeys.key_id == key_id, ApiKeys.revoked_at.is_(None))
        .values(tokens_per_minute=tokens_per_minute)
    )
    with database.write() as connection:
        return connection.execute(changed.returning(ApiKeys.key_id)).first() is not None


def _check_limit(tokens_per_minute: int | None) -> None:
    if tokens_per_minute is not None and not 0 <= tokens_per_minute <= _MOST_TOKENS:
        raise BadMessageError(
            f"tokens_per_minute: {tokens_per_minute} is no limit; give 1 to {_MOST_TOKENS}, 0 for any number, or none "
            "for SIGHTLINE_CHAT_TOKENS_PER_MINUTE",
            field="tokens_per_minute",
        )


def _view(row: sa.RowMapping) -> ApiKey:
    return ApiKey.model_validate({name: row[name] for name in ApiKey.model_fields})


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
