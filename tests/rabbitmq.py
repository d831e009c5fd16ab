"""A RabbitMQ of our own: a node on free ports with its own name, data and port mapper."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kombu import Connection

from sightline.celery.transport import RabbitTransport

#: Where Debian keeps the script that starts a node as whoever calls it; the one in PATH starts the machine's service.
_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_TIMEOUT_S = 120


@contextmanager
def rabbitmq_node(folder: Path, ports: tuple[int, int, int], *, config: str = "") -> Iterator[str]:
    """Gives its URL. Skips the test where RabbitMQ is not installed."""
    epmd = shutil.which("epmd")
    if epmd is None or not _SCRIPT.exists():
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    port, node_port, mapper_port = ports
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{port}\n{config}")
    (folder / "plugins").write_text("[].")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),  # of the cookie
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"sightline{port}@localhost",
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOGS": "-",
    }
    with (folder / "log").open("wb") as log:
        mapper = subprocess.Popen([epmd, "-address", "127.0.0.1", "-port", str(mapper_port)], stdout=log, stderr=log)
        node = subprocess.Popen([_SCRIPT], env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        url = f"amqp://guest:guest@127.0.0.1:{port}//"
        _wait_until_ready(url, node, folder / "log")
        yield url
    finally:
        node.terminate()
        node.wait(30)
        mapper.terminate()
        mapper.wait(10)


def empty_queues(url: str) -> None:
    with Connection(url) as connection:
        for queue in RabbitTransport().task_queues():
            connection.default_channel.queue_delete(queue.name)


def _wait_until_ready(url: str, node: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            with Connection(url, connect_timeout=2) as connection:
                connection.connect()
            return
        except OSError:
            assert node.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.2)
