"""What we use of kombu and Celery that they do not promise to keep. It is all in one room, and each part is named here.

When this fails after an update of either, look at each name that is missing: what took its place?
"""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.messaging import Consumer
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import base
from redis.connection import AbstractConnection

ROOT = Path(__file__).parents[4]
ROOM = ROOT / "sightline/celery"

#: Private names, and the class whose source has them.
PRIVATE = {
    "_active_tags": Consumer,
    "_brpop_read": kombu_redis.Channel,
    "_brpop_start": kombu_redis.Channel,
    "_create_client": kombu_redis.Channel,
    "_deliver": base.Transport,
    "_in_poll": kombu_redis.Channel,
    "_sock": AbstractConnection,
}
#: Names without an underscore that are in no documentation.
UNDOCUMENTED = {
    "active_queues": kombu_redis.Channel,
    "brpop_timeout": kombu_redis.Channel,
    "can_consume": base.QoS,
    "handlers": kombu_redis.Channel,
    "restore_by_tag": kombu_redis.QoS,
    "sep": kombu_redis.Channel,
    "unacked_index_key": kombu_redis.Channel,
    "unacked_key": kombu_redis.Channel,
    "visibility_timeout": kombu_redis.Channel,
}
#: Set by us on kombu's channel, read by us.
OURS = {"_brpop_sent_at"}


def used(package: str) -> Iterator[tuple[Path, str]]:
    """Private attributes of what is not our own object."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
                continue
            owner = ast.unparse(node.value)
            if owner.split(".")[-1] in ("channel", "_channel", "connection", "consumer", "transport", "qos"):
                yield path, node.attr


def test_each_private_part_is_named_here() -> None:
    found = {name for path, name in used("sightline/celery") if path.parent == ROOM} - OURS
    assert found == set(PRIVATE)


def test_no_other_room_uses_any() -> None:
    names = {*PRIVATE, *UNDOCUMENTED}
    others = [
        (str(path.relative_to(ROOT)), name)
        for package in ("sightline", "storage", "workers", "producers")
        for path, name in used(package)
        if path.parent != ROOM and name in names
    ]
    assert others == []


@pytest.mark.parametrize(("name", "owner"), sorted({**PRIVATE, **UNDOCUMENTED}.items()))
def test_the_installed_versions_have_it(name: str, owner: type) -> None:
    assert hasattr(owner, name) or f"self.{name}" in inspect.getsource(owner)


def test_versions_that_were_not_looked_at_are_not_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"celery[redis]>=5.7,<5.8", "kombu>=5.7,<5.8"} <= set(project["dependencies"])
