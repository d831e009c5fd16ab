"""From `publish` to `settle`: ledger and broker on a real Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.guard.figures import Count, Figure, Ratio, Ready
from benchmarks.guard.jobs import make_message
from sightline.celery.app import create_app
from sightline.celery.take import Share, Taker
from sightline.delivery.broker import Broker
from sightline.delivery.handoff import Delivery
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.delivery.publisher import Publisher
from sightline.local.embedded_redis import prepare_redis
from sightline.pipelines.queues import DETECT_QUEUE, LANE_PRIORITIES, WRITE_TASK
from sightline.redis.connection import connect
from sightline.retry import Patience
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore
from sightline.types import Lane

#: What a job of one frame takes: its scripts, and the messages of its stages.
_SCRIPTS, _SENDS = 4, 2
_TOGETHER = 16  #: messages


def way_of_a_frame(publisher: Publisher, delivery: Delivery) -> Ready:
    """Of a job of one frame through two stages that do nothing."""

    def ready() -> Callable[[], Any]:
        message = make_message(1)

        def call() -> None:
            job = message.job
            publisher.publish(job, {frame.frame_id: b"pixels" for frame in job.frames})
            delivery.begin(job)
            delivery.hand_over(WRITE_TASK, job, message.results)
            delivery.begin(job)
            delivery.ledger.settle(job.job_id, {"gate": {"stored": 1}})

        return call

    return ready


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
    connection = app.connection_for_read()
    counted = [0]
    script = client.register_script("return redis.call('LPUSH', KEYS[1], ARGV[1])")
    payload = make_message(1).pack()

    ours = way_of_a_frame(publisher, delivery)

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

    def together() -> Callable[[], Any]:
        """As a worker with threads for all takes, settles and acknowledges what waits."""
        for key in client.keys(f"{DETECT_QUEUE}*"):  # of other figures
            client.delete(key)
        messages = [make_message(1) for _ in range(_TOGETHER)]
        for message in messages:
            publisher.publish(message.job, {frame.frame_id: b"pixels" for frame in message.job.frames})

        def call() -> None:
            before = rounds()
            taken = 0
            while taken < _TOGETHER:
                taker.begin([DETECT_QUEUE], [Share(LANE_PRIORITIES[Lane.BULK], _TOGETHER)], _TOGETHER)
                popped = taker.read()
                taken += len(popped)
                for one in popped:
                    channel.qos.ack(one.tag)
            ledger.settle_together([(message.job.job_id, {"gate": {"stored": 1}}, "{}") for message in messages])
            taker.tick()
            counted[0] += rounds() - before - 1  # the look itself

        return call

    def rounds() -> int:
        """How often Redis read from a socket: once a round trip."""
        stats: Any = client.info("stats")
        return int(stats["total_reads_processed"])

    def received() -> int:
        stats: Any = client.info("stats")
        return int(stats["total_net_input_bytes"])

    try:
        delivery.patience.insist(ledger.generation, "reach the Redis of this run")
        channel: Any = connection.channel()
        channel.client.connection = channel.client.connection_pool.get_connection()
        taker = Taker(channel)
        what = "publish, begin, hand over, begin, settle"
        where = "sightline/delivery/publisher.py, broker.py, ledger.py, delivery.py, messages.py"
        yield [
            Ratio("queue", f"{what} to bare scripts and send_task", where, ours, bare, pairs=40),
            Count("queue commands", f"what Redis does for {what}", where, ours, commands),
            Count("queue bytes", f"what Redis is sent for {what}", where, ours, received),
            Count(
                "round trips",
                f"of a worker to Redis for taking, settling and acknowledging {_TOGETHER} messages that wait",
                "sightline/celery/take.py, sightline/delivery/ledger.py",
                together,
                lambda: counted[0],
            ),
        ]
    finally:
        connection.release()
        publisher.close()
        client.close()
        process.terminate()
        process.wait(20)
