"""Whatever bytes lie on a list of a queue: each becomes a dead letter, and the worker goes on, as the same process."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sightline.ids import new_id
from sightline.pipelines import registry
from sightline.pipelines.queues import DETECT_QUEUE, DETECT_TASK, OCR_QUEUE, WRITE_QUEUE
from tests.acceptance.parts.system import System

EXAMPLES = 120
STUBS = {"plates_model": "stub", "text_model": "stub", "objects_model": "stub", "recognizer": "stub"}
PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")
HUGE = "x" * 3_000_000
DEEP = "[" * 3000 + "]" * 3000
numbers = count()


class Queues:
    """A worker of everything on a Redis of its own, and what of what was put there is a dead letter."""

    def __init__(self, system: System, url: str) -> None:
        self.system = system
        self.redis = redis.Redis.from_url(url)

    def bury(self, entry: bytes, key: str) -> None:
        """Put it there and wait until it is gone, and a letter more is there."""
        before = self.letters()
        self.redis.lpush(key, entry)
        self.wait_until(lambda: self.letters() > before, entry)
        self.wait_until(lambda: not self.redis.llen(key) and not self.redis.hlen("unacked"), entry)

    def letters(self) -> int:
        with self.system.database() as database, database.read() as connection:
            return int(connection.scalar(sa.text("SELECT count(*) FROM dead_letters")) or 0)

    def wait_until(self, holds: Any, what: object) -> None:
        until = time.monotonic() + 30
        while not holds():
            assert self.system.workers["worker"].poll() is None, (repr(what)[:500], self.system.log("worker")[-3000:])
            assert time.monotonic() < until, (repr(what)[:500], self.system.log("worker")[-3000:])
            time.sleep(0.02)


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory, redis_of_module: str) -> Iterator[Queues]:
    folder: Path = tmp_path_factory.mktemp("entries")
    system = System(folder, redis_of_module, max_open_frames=10**6, **STUBS)
    system.start("worker")
    yield Queues(system, redis_of_module)
    system.stop()


def envelope() -> dict[str, Any]:
    """As kombu writes it, for a job whose pixels nobody put anywhere."""
    frame = {"frame_id": new_id(), "source_id": "gate", "captured_at": datetime.now(UTC).isoformat()}
    job = {"job_id": new_id(), "pipeline": "plates", "lane": "bulk", "frames": [frame]}
    body = json.dumps([[], {"message": {"v": 1, "job": job}}, {}])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": DETECT_TASK, "id": f"{job['job_id']}:detect", "retries": 0},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": DETECT_QUEUE},
            "delivery_mode": 2,
            "delivery_tag": new_id(),
            "priority": 6,
        },
    }


PATHS = (
    ("body",), ("content-encoding",), ("content-type",), ("headers",), ("properties",),
    ("headers", "task"), ("headers", "id"), ("headers", "eta"), ("headers", "expires"), ("headers", "retries"),
    ("headers", "compression"), ("headers", "traceparent"), ("headers", "timelimit"), ("headers", "group"),
    ("headers", "stamps"), ("headers", "x" * 300), ("headers", "sightline_sent_at"),
    ("properties", "body_encoding"), ("properties", "delivery_info"), ("properties", "delivery_tag"),
    ("properties", "priority"), ("properties", "delivery_info", "redelivered"), ("properties", "reply_to"),
    ("properties", "delivery_info", "routing_key"),
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        (
            "utf-16",
            "binary",
            "rot13",
            "idna",
            "application/x-python-serialize",
            "zlib",
            "pickle",
            "\x00",
            "\ud800",
            "1e999",
        )
    )
)
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))
changes = st.lists(st.tuples(st.sampled_from(PATHS), junk), min_size=1, max_size=3)
missing = st.lists(st.sampled_from(PATHS), max_size=2)
encodings = st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-7"))


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """Bytes of any kind, JSON of any kind, or an envelope in which something is otherwise."""
    match draw(st.integers(0, 5)):
        case 0:
            return draw(st.binary(max_size=200)) + str(next(numbers)).encode()
        case 1:
            return json.dumps([draw(junk), next(numbers)]).encode()
        case _:
            made = envelope()
            for path, value in draw(changes):
                _put(made, path, value)
            for path in draw(missing):
                _take(made, path)
            return json.dumps(made).encode(draw(encodings), errors="surrogatepass")


def _put(made: Any, path: tuple[str, ...], value: Any) -> None:
    *above, last = path
    for name in above:
        made = made.get(name) if isinstance(made, dict) else None
    if isinstance(made, dict):
        made[last] = value


def _take(made: Any, path: tuple[str, ...]) -> None:
    *above, last = path
    for name in above:
        made = made.get(name) if isinstance(made, dict) else None
    if isinstance(made, dict):
        made.pop(last, None)


def changed(*path: str, to: Any) -> bytes:
    made = envelope()
    _put(made, path, to)
    return json.dumps(made).encode()


def with_body(body: bytes, encoding: str = "utf-8") -> bytes:
    made = envelope()
    made |= {"body": base64.b64encode(body).decode(), "content-encoding": encoding}
    return json.dumps(made).encode()


@given(
    entry=entries(),
    queue=st.sampled_from([*registry().usual_queues, DETECT_QUEUE, DETECT_QUEUE]),
    priority=st.sampled_from(PRIORITIES),
)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    derandomize=True,
)
@example(entry=HUGE.encode(), queue=DETECT_QUEUE, priority="")
@example(entry=DEEP.encode(), queue=DETECT_QUEUE, priority="\x06\x166")
@example(entry=changed("headers", "id", to=HUGE), queue=DETECT_QUEUE, priority="")
@example(entry=changed("headers", "deep", to=json.loads("[" * 400 + "]" * 400)), queue=DETECT_QUEUE, priority="")
@example(entry=with_body(b"\xff\xfe\x00"), queue=DETECT_QUEUE, priority="\x06\x166")
@example(entry=with_body(DEEP.encode()), queue=DETECT_QUEUE, priority="")
@example(entry=with_body(b"[[], {}, {}]", "no-such-encoding"), queue=DETECT_QUEUE, priority="")
@example(entry=with_body(b"[[], {}, {}]", "hex"), queue=DETECT_QUEUE, priority="")
@example(entry=with_body(b'[[], {"message": 1e400}, {}]'), queue=DETECT_QUEUE, priority="")
@example(entry=with_body(b"9" * 6000), queue=DETECT_QUEUE, priority="")
@example(entry=b"9" * 6000, queue=DETECT_QUEUE, priority="")
@example(entry=b"", queue=DETECT_QUEUE, priority="")
def test_what_lies_on_a_queue_is_buried_and_ends_no_worker(
    queues: Queues, entry: bytes, queue: str, priority: str
) -> None:
    queues.bury(entry, queue + priority)


@pytest.mark.parametrize(
    "junk",
    [
        b"no JSON",
        b"[1, 2]",
        b"null",
        b"[1, 2, 3]",
        b'[{}, "", "gpu.detect"]',
        b'[{"body": 1}, "", "gpu.detect"]',
        b"\xff\xfe",
        b"",
    ],
)
def test_what_lies_among_the_messages_that_are_held_ends_no_worker(queues: Queues, junk: bytes) -> None:
    """A lease that is over is given back; this cannot be."""
    queues.redis.hset("unacked", "junk", junk)
    queues.redis.zadd("unacked_index", {"junk": 1})
    queues.wait_until(lambda: queues.redis.zscore("unacked_index", "junk") is None, junk)
    queues.redis.hdel("unacked", "junk")  # it is left there, and said
    queues.bury(changed("headers", "task", to="after"), DETECT_QUEUE)


def test_a_queue_s_key_that_is_no_list_is_told_once_and_left_out_until_it_is_mended(queues: Queues) -> None:
    queues.redis.set(DETECT_QUEUE, "hello")
    queues.redis.set(WRITE_QUEUE + PRIORITIES[1], "hello")
    log_before = len(queues.system.log("worker"))
    for priority in PRIORITIES[2:]:
        for queue in (OCR_QUEUE, WRITE_QUEUE, DETECT_QUEUE):
            queues.bury(str(next(numbers)).encode(), queue + priority)

    told = queues.system.log("worker")[log_before:]
    assert told.count(f"the key {DETECT_QUEUE!r} in Redis is no list") == 1, told
    assert told.count("is no list") == 2, told
    assert "Connection to broker lost" not in told

    queues.redis.delete(DETECT_QUEUE, WRITE_QUEUE + PRIORITIES[1])
    queues.bury(str(next(numbers)).encode(), DETECT_QUEUE)
    assert f"the key {DETECT_QUEUE!r} in Redis is as it should be again" in queues.system.log("worker")
