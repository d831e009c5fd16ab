"""What errors of a real Redis mean, whoever asks: a right that is missing, something that passes, or a bug of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import redis
from celery.exceptions import Reject

from sightline import retry
from sightline.blobs.redis import RedisFrameStore
from sightline.celery.app import create_app
from sightline.delivery.broker import Broker
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.delivery.result_board import AsyncResultBoard, ResultBoard
from sightline.errors import (
    BrokerUnavailableError,
    NotLetInError,
    NotPermittedError,
    RetryableError,
    StoreUnavailableError,
)
from sightline.ids import new_id
from sightline.pipelines.queues import DETECT_TASK
from sightline.redis.connection import broker_errors, connect, connect_async
from sightline.retry import Patience
from sightline.settings import load_settings
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job
from tests.integration.stages.running import FakeStage, message, raising, run_stage
from workers.stages.services import Services


@pytest.fixture
def admin(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client
        client.config_set("maxmemory", 0)
        client.acl_deluser("guest")


@pytest.fixture
def guest_url(admin: redis.Redis, redis_url: str) -> str:
    """A user who may do nearly nothing."""
    rights = ["~sightline:*", "~gpu.detect*", "+evalsha", "+script"]
    admin.execute_command("ACL", "SETUSER", "guest", "on", ">s3cret", *rights)
    return redis_url.replace("redis://", "redis://guest:s3cret@")


def job() -> Job:
    frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
    return Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))


def ledger(url: str) -> Ledger:
    return Ledger(connect(url), LedgerLimits.from_settings(load_settings()))


def broker(url: str) -> Broker:
    return Broker(create_app(load_settings(redis_url=url)))


CALLS: dict[str, Callable[[str], object]] = {
    "sightline:generation": lambda url: ledger(url).generation(),
    "EVALSHA sightline:due:": lambda url: ledger(url).admit(job()),
    "SET sightline:frame:key": lambda url: RedisFrameStore(url, None).put_many({"key": b"secret pixels"}),
    "MGET sightline:frame:key": lambda url: RedisFrameStore(url, None).get_many(["key"]),
    "XREAD sightline:result:job": lambda url: ResultBoard(connect(url), result_ttl_s=9).wait("job", 0),
    "for gpu.detect": lambda url: broker(url).send(DETECT_TASK, {}, task_id="x", lane=Lane.BULK),
}


@pytest.mark.parametrize("named", CALLS)
def test_a_right_that_is_missing_is_named_with_its_cure(guest_url: str, named: str) -> None:
    with pytest.raises(NotPermittedError) as caught:
        CALLS[named](guest_url)
    text = str(caught.value)
    assert named in text
    assert "users.acl" in text
    assert "secret pixels" not in text
    assert "s3cret" not in text


async def test_so_it_is_for_asyncio(guest_url: str) -> None:
    client = connect_async(guest_url)
    with pytest.raises(NotPermittedError, match="user guest: XREAD sightline:result:job"):
        await AsyncResultBoard(client).wait("job", 0)
    await client.aclose()


@pytest.mark.parametrize("call", [CALLS["sightline:generation"], CALLS["MGET sightline:frame:key"]])
def test_a_wrong_password_is_no_outage(guest_url: str, call: Callable[[str], object]) -> None:
    with pytest.raises(NotLetInError, match="Check user and password") as refused:
        call(guest_url.replace("s3cret", "wrong"))
    assert "users.acl" not in str(refused.value)


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ("SET sightline:frame:key", StoreUnavailableError),
        ("for gpu.detect", BrokerUnavailableError),
        ("EVALSHA sightline:due:", BrokerUnavailableError),
    ],
)
def test_a_full_redis_passes_with_time(
    admin: redis.Redis, redis_url: str, named: str, kind: type[RetryableError]
) -> None:
    admin.config_set("maxmemory", 1)
    with pytest.raises(kind) as caught:
        CALLS[named](redis_url)
    assert not isinstance(caught.value, NotPermittedError)


@pytest.mark.parametrize(
    ("key", "named"), [("sightline:generation", "sightline:generation"), ("gpu.detect\x06\x166", "for gpu.detect")]
)
def test_a_key_that_another_program_wrote_is_named_with_its_cure(
    admin: redis.Redis, redis_url: str, key: str, named: str
) -> None:
    admin.hset(key, "a", "b")
    with pytest.raises(BrokerUnavailableError, match="rename or delete it") as caught:
        CALLS[named](redis_url)
    assert named in str(caught.value)


def test_what_no_time_mends_is_a_bug_and_loud(redis_url: str) -> None:
    with pytest.raises(redis.ResponseError, match="unknown command"), broker_errors():
        connect(redis_url).execute_command("NOSUCHCOMMAND")


def test_a_right_that_comes_soon_is_waited_for_and_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_PAUSES_S", (0.01,))
    tries, waits = list[int](), Patience()

    def call() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise NotPermittedError("no LPUSH")
        return "done"

    assert waits.insist(call, "send") == "done"
    assert not waits.is_waiting  # a worker that gets nowhere for want of a right is stuck
    monkeypatch.setattr(retry, "_RIGHTS_WITHIN_S", 0.005)
    tries.clear()
    with pytest.raises(NotPermittedError):
        waits.insist(call, "send")
    assert len(tries) == 2


def test_a_worker_without_a_right_gives_the_message_back(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_PAUSES_S", (0.01,))
    monkeypatch.setattr(retry, "_RIGHTS_WITHIN_S", -1.0)
    stage: FakeStage = raising(NotPermittedError("no LPUSH"))
    with pytest.raises(Reject) as caught:
        run_stage(stage, services, message(), redelivered=False)
    assert caught.value.requeue
