"""Identities. They are given once, at the producer; nothing downstream invents one."""

from __future__ import annotations

import hashlib
import secrets
import time


def new_id() -> str:
    """A fresh id: 32 hex digits, ordered by time (48 bits of milliseconds, then 80 random bits, as a ULID)."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def made_at(identity: str) -> float | None:
    """When `new_id` made this id, in epoch seconds; None if it cannot be one of its."""
    try:
        return int(identity[:12], 16) / 1000 if len(identity) == 32 else None
    except ValueError:
        return None


def content_id(*parts: str | bytes) -> str:
    """An id that is the same for the same parts: the first 32 hex digits of a SHA-256 over their lengths and bytes."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:32]
