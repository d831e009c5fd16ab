"""Secrets and signatures of webhooks, as Standard Webhooks (standardwebhooks.com) has them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

from sightline.errors import BadMessageError

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with
_SECRET_BYTES: Final = 32
_MIN_BYTES, _MAX_BYTES = 24, 64


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`.

    Raises:
        BadMessageError: the secret has not the agreed form.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret_bytes(secret), signed, hashlib.sha256)).decode()


def secret_bytes(secret: str) -> bytes:
    """Raises BadMessageError; its text does not repeat the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        expected = f"{SECRET_PREFIX} and {_MIN_BYTES} to {_MAX_BYTES} bytes in base64"
        raise BadMessageError(f"secret: must be {expected}; leave it out to get one", field="secret")
    return key
