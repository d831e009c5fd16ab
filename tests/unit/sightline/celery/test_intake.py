"""What comes off a queue may be anything: it is read, or refused in words, and nothing else happens."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest

from sightline.celery.intake import check_message, parse_entry
from sightline.errors import BadMessageError

GOOD: dict[str, Any] = {
    "body": '[[], {"message": {"v": 1}}, {"callbacks": null}]',
    "headers": {
        "task": "sightline.detect",
        "id": "a-job:detect",
        "shadow": "x",
        "expires": "2999-01-01T00:00:00+00:00",
    },
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "properties": {
        "body_encoding": "utf-8",
        "delivery_tag": "of the sender",
        "delivery_info": {"exchange": "elsewhere", "routing_key": "db.write"},
        "priority": 0,
    },
}


def message_of(envelope: dict[str, Any]) -> Any:
    from kombu.transport.virtual.base import Channel, Message

    channel = SimpleNamespace(decode_body=lambda body, encoding: Channel.decode_body(channel, body, encoding))
    channel.codecs, channel.body_encoding = Channel.codecs, "base64"
    message = Message(envelope, channel=channel)
    message.accept = {"application/json"}
    return message


def read(entry: bytes) -> Any:
    message = message_of(parse_entry(entry, "gpu.detect", 9))
    check_message(message, "gpu.detect")
    return message


def test_nothing_is_believed_that_the_worker_knows_better() -> None:
    message = read(json.dumps(GOOD).encode())
    assert message.delivery_info == {"exchange": "", "routing_key": "gpu.detect", "redelivered": False}
    assert message.delivery_tag != "of the sender"
    assert message.properties["priority"] == 6
    assert message.headers.keys() == {"lang", "task", "id", "argsrepr", "kwargsrepr"}  # no shadow, nothing that expires


@pytest.mark.parametrize("seed", range(300))
def test_a_damaged_entry_is_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    entry = bytearray(json.dumps(_damaged(GOOD, chance)).encode())
    for _ in range(chance.choice((0, 0, 1, 5))):
        entry[chance.randrange(len(entry))] = chance.randrange(256)
    try:
        message = read(bytes(entry))
    except BadMessageError:
        return
    assert set(message.payload[1]) == {"message"}


def _damaged(value: Any, chance: random.Random) -> Any:
    """The same with a few parts left out or put in place of others."""
    if chance.random() < 0.06:
        return chance.choice((None, 0, -1.5, "", "\x00", [], {}, [[]], {"a": 1}, True, 10**400))
    if isinstance(value, dict):
        items = [(key, _damaged(each, chance)) for key, each in value.items() if chance.random() > 0.03]
        return dict(items)
    return value
