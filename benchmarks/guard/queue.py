"""From `publish` to `settle`: ledger and broker on a real Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.guard.figures import Count, Figure, Ratio
from benchmarks.guard.jobs import make_message
from sightline.celery.app import create_app
from sightline.delivery.broker import Broker
from sightline.delivery.handoff import Delivery
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.delivery.publisher import Publisher
from sightline.local.embedded_redis import prepare_redis
from sightline.pipelines.queues import WRITE_TASK
from sightline.redis.connection import connect
from sightline.retry import Patience
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore

#: What a job of one frame takes: its scripts, and the messages of its stages.
_SCRIPTS, _SENDS = 4, 2


@contextmanager
def queue_figures(folder: Path) -> Generator[list[Figure]]:
    """The baseline is no code of ours: bare calls of a script, and Celery's `send_task`."""
    server = prepare_redis(folder / "redis")
    process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL)
    settings = load_settings(data_dir=folder, redis_url=server.url)
    client = connect(server.url)
    app = create_app(settings)
    ledger, broker = Ledger(connect(server.url), LedgerLimits.from_settings(settings)), Broker(app)
    publisher = Publisher(ledger, MemoryFrameStore(), broker)
    delivery = Delivery(ledger, broker, Patience())
    script = client.register_script("return redis.call('LPUSH', KEYS[1], ARGV[1])")
    payload = make_message(1).pack()

    def ours() -> Callable[[], Any]:
        message = make_message(1)

        def call() -> None:
            job = message.job
            publisher.publish(job, {frame.frame_id: b"pixels" for frame in job.frames})
            delivery.begin(job)
            delivery.hand_over(WRITE_TASK, job, message.results)
            delivery.begin(job)
            delivery.ledger.settle(job.job_id, {"gate": {"stored": 1}})

        return call

    def bare() -> Callable[[], Any]:
        def call() -> None:
            for _ in range(_SCRIPTS):
                script(keys=["bare"], args=[payload])
            for _ in range(_SENDS):
                app.send_task(WRITE_TASK, kwargs={"message": payload}, retry=False)

        return call

    def commands() -> int:
        """Those that scripts call too. Not those that ask for this."""
        calls: Any = client.info("commandstats")
        return sum(found["calls"] for command, found in calls.items() if command != "cmdstat_info")

    def received() -> int:
        stats: Any = client.info("stats")
        return int(stats["total_net_input_bytes"])

    try:
        delivery.patience.insist(ledger.generation, "reach the Redis of this run")
        what = "publish, begin, hand over, begin, settle"
        where = "sightline/delivery/publisher.py, broker.py, ledger.py, delivery.py, messages.py"
        yield [
            Ratio("queue", f"{what} to bare scripts and send_task", where, ours, bare, pairs=40),
            Count("queue commands", f"what Redis does for {what}", where, ours, commands),
            Count("queue bytes", f"what Redis is sent for {what}", where, ours, received),
        ]
    finally:
        publisher.close()
        client.close()
        process.terminate()
        process.wait(20)
