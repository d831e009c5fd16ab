"""What runs elsewhere: Redis, the frame store, the API, the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from sightline import __version__
from sightline.blobs.opening import open_frame_store
from sightline.celery.app import ABOUT, create_app
from sightline.delivery.broker import Broker
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.doctor.finding import Finding, bad, ok, unknown, warn
from sightline.doctor.machine import compare_clocks
from sightline.pipelines import registry
from sightline.redis.condition import look_at
from sightline.redis.connection import broker_errors, connect
from sightline.settings import Settings

_ANSWER_WITHIN_S: Final = 2.0


def look_at_redis(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, keeps what it is given, has room, and agrees on the time."""
    what = "redis"
    with connect(settings.redis_url) as redis:
        with broker_errors():
            redis.ping()
        condition = look_at(redis)
        if condition is None:
            yield unknown(what, "it answers, but this user may not ask how it is", "give the user +info")
        else:
            for text in condition.refused:
                says, _, cure = text.rpartition(": ")
                yield bad(what, f"{condition.server}: {says}", cure)
            yield from (warn(what, f"{condition.server}: {text}") for text in condition.warned)
            if not condition.refused and not condition.warned:
                limit = f" of {condition.limit_bytes / 1e6:.0f}" if condition.limit_bytes else ""
                yield ok(what, f"{condition.server}, {condition.used_bytes / 1e6:.0f}{limit} MB in use")
        before_s = time.time()
        with broker_errors():
            seconds, micros = redis.time()
        yield compare_clocks("redis", seconds + micros / 1e6, before_s, time.time())


def look_at_frame_store(settings: Settings) -> Iterator[Finding]:
    """Whether pixels can be put and had again."""
    store, key = open_frame_store(settings.frame_store_url, ttl_s=60), "doctor"
    store.put_many({key: b"pixels"})
    found = store.get_many([key])
    store.delete_many([key])
    if found == [b"pixels"]:
        yield ok("frame store", "takes pixels and gives them back")
    else:
        yield bad("frame store", "does not give back what it took", "the same SIGHTLINE_FRAMES_URL for all roles")


def look_at_api(settings: Settings) -> Iterator[Finding]:
    """Whether it is ready, as itself says."""
    what, do = "api", "is the role running, and is SIGHTLINE_API_URL right?"
    import httpx

    try:
        answer = httpx.get(f"{settings.api_url.rstrip('/')}/readyz", timeout=10, trust_env=False)
        told: Any = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        yield bad(what, f"{settings.api_url}: {error}", do)
        return
    checks: dict[str, str] = told.get("checks", {})
    if not checks:
        yield bad(what, f"{settings.api_url} answers {answer.status_code}, and is no Sightline", do)
    for name, outcome in checks.items():
        yield ok(f"{what}: {name}", "ready") if outcome == "ok" else _not_ready(f"{what}: {name}", outcome)


def _not_ready(what: str, outcome: str) -> Finding:
    """In the words of `/readyz`, where a cause comes before its cure."""
    cause, _, cure = outcome.partition(": ")
    return bad(what, outcome) if not cure or cause.startswith("SIGHTLINE_") else bad(what, cause, cure)


def look_at_workers(settings: Settings) -> Iterator[Finding]:
    """Which workers answer, what they consume and of which version they are; and what waits for nobody."""
    broker = Broker(create_app(settings))
    queues = broker.ask_workers("active_queues", within_s=_ANSWER_WITHIN_S)
    abouts = broker.ask_workers(ABOUT, within_s=_ANSWER_WITHIN_S)
    consumed: set[str] = set()
    for worker, of_worker in sorted(queues.items()):
        names = sorted({str(queue["name"]) for queue in of_worker})
        consumed.update(names)
        version = str(abouts.get(worker, {}).get("version", "of an older version"))
        what, says = f"worker: {worker}", f"{version}, {', '.join(names)}"
        if version == __version__:
            yield ok(what, says)
        else:
            yield warn(what, says, f"this is {__version__}: update and restart the role")
    with connect(settings.redis_url) as redis:
        ledger = Ledger(redis, LedgerLimits.from_settings(settings))
        yield from _unserved(consumed, broker.depths(), lambda queue: ledger.has_open(registry().pipelines_of(queue)))


def _unserved(consumed: set[str], depths: dict[str, int], is_needed: Callable[[str], bool]) -> Iterator[Finding]:
    """`is_needed`: whether a job is open that has to pass a queue."""
    usual = {registry().roles[role] for role in registry().usual_roles}
    for queue, waiting in depths.items():
        served = any(name == queue or name.startswith(f"{queue}.") for name in consumed)
        if served or (queue not in usual and not waiting):
            continue
        do = f"{_start_of(queue)}; if a worker of it runs, it did not answer in time"
        if queue in usual or is_needed(queue):
            yield bad(f"queue: {queue}", f"no worker consumes it, {waiting} messages wait", do)
        else:
            says = f"no worker consumes it, and no open job needs one; {waiting} messages of jobs that ended"
            yield warn(f"queue: {queue}", says, do)


def _start_of(queue: str) -> str:
    stage = next(stage for stage in registry().stages.values() if stage.queue == queue)
    alone = f"or start the role {stage.name} alone as docs/how-to/deployment.md says"
    if not stage.on_demand:
        return f"sightline up starts it, {alone}"
    pipeline = next(spec.name for spec in registry().all() if stage in spec.stages)
    return f"sightline up --with {pipeline}, {alone}"
