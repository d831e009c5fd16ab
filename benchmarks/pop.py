"""What a worker on Redis loses when it is killed between pop and note: `python -m benchmarks.pop [--kills 20]`.

kombu pops a message (BRPOP) and notes it as unacknowledged in a second step. A worker whose tasks keep Python busy is
killed with kill -9, again and again; a message that is then neither done, nor waiting, nor noted, was in between. It is
not lost: the ledger sends it again, after SIGHTLINE_JOB_TIMEOUT_S. Then what a worker's three commands a message cost
with BRPOP, and with BLMOVE, which moves a message into a list of the worker's own in one step but reads one list only.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from sightline.celery.app import create_app
from sightline.local.embedded_redis import prepare_redis
from sightline.pipelines.queues import DETECT_QUEUE, DETECT_TASK
from sightline.settings import load_settings

MESSAGES = 1000
_LISTS = [DETECT_QUEUE, f"{DETECT_QUEUE}\x06\x163", f"{DETECT_QUEUE}\x06\x166"]


def work(url: str) -> None:
    """A worker whose task spins for a few milliseconds."""
    app = create_app(load_settings(redis_url=url))
    client = redis.Redis.from_url(url)

    @app.task(name=DETECT_TASK)
    def spin(message: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        until = time.perf_counter() + 0.004
        while time.perf_counter() < until:
            pass
        client.sadd("done", message["number"])

    options = ["-P", "threads", "-c", "8", "-Q", DETECT_QUEUE, "--without-gossip", "--without-mingle"]
    app.worker_main(["worker", "-l", "ERROR", *options])


def kill_once(url: str) -> int:
    """How many messages one kill leaves in between."""
    client = redis.Redis.from_url(url)
    client.flushall()
    app = create_app(load_settings(redis_url=url))
    for number in range(MESSAGES):
        app.send_task(DETECT_TASK, kwargs={"message": {"number": number}}, queue=DETECT_QUEUE, priority=0)
    command = [sys.executable, "-m", "benchmarks.pop", "--worker", url]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    while not client.scard("done"):
        time.sleep(0.05)
    time.sleep(random.uniform(0.3, 1.5))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    time.sleep(0.1)
    waiting = sum(int(client.llen(name)) for name in _LISTS)  # pyright: ignore
    assert waiting, "it was done before the kill"
    noted: Any = client.hvals("unacked")
    done = {int(number) for number in client.smembers("done")}  # pyright: ignore
    # One that is done and not yet acknowledged is noted too.
    both = sum(f'"number": {number}}}'.encode() in entry for entry in noted for number in done)
    return MESSAGES - waiting - len(noted) - len(done) + both


def messages_per_s(url: str, *, is_atomic: bool) -> float:
    """Pop, note and acknowledge, as fast as one connection goes."""
    client = redis.Redis.from_url(url)
    client.flushall()
    item = b"x" * 900
    for _ in range(MESSAGES):
        client.lpush(_LISTS[0], item)
    started_at = time.perf_counter()
    for number in range(MESSAGES):
        if is_atomic:
            client.blmove(_LISTS[0], "inflight", 1, "RIGHT", "LEFT")
        else:
            client.brpop(_LISTS, 1)
        pipe = client.pipeline()
        pipe.zadd("unacked_index", {str(number): number})
        pipe.hset("unacked", str(number), item)
        if is_atomic:
            pipe.delete("inflight")
        pipe.execute()
        pipe = client.pipeline()
        pipe.zrem("unacked_index", str(number))
        pipe.hdel("unacked", str(number))
        pipe.execute()
    return MESSAGES / (time.perf_counter() - started_at)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pop", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        server = prepare_redis(Path(folder))
        process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL)
        time.sleep(1)
        try:
            between = [kill_once(server.url) for _ in range(options.kills)]
            print(f"{options.kills} kills: {sum(map(bool, between))} left messages in between, {sum(between)} in all")
            for name, is_atomic in (("BRPOP", False), ("BLMOVE", True)):
                print(f"{name:<7} {messages_per_s(server.url, is_atomic=is_atomic):>7.0f} messages/s")
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    main()
