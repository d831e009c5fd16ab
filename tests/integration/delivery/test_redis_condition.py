"""A real Redis that evicts, or is a Cluster, is refused by who starts and red for who is ready; a guest may not ask."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from fastapi.testclient import TestClient

from producers.api.app import create_app as create_api
from sightline.celery.app import create_app
from sightline.errors import SettingsError
from sightline.redis.condition import look_at, require_usable
from sightline.redis.connection import connect
from sightline.retry import Patience
from sightline.settings import Settings
from tests.conftest import free_port, redis_program
from workers.stages.services import open_services


@pytest.fixture
def evicting(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 0)


def wait_for(client: redis.Redis) -> None:
    for _ in range(100):
        try:
            client.ping()
            return
        except redis.ConnectionError:
            time.sleep(0.05)


def test_a_worker_does_not_begin_where_work_is_evicted(evicting: redis.Redis, settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"SIGHTLINE_REDIS_URL: Redis .*allkeys-lru.*set noeviction"):
        open_services(create_app(settings), settings, "test@here", Patience())
    evicting.config_set("maxmemory-policy", "noeviction")
    open_services(create_app(settings), settings, "test@here", Patience())


@pytest.mark.usefixtures("database")
def test_the_api_is_not_ready_on_it(evicting: redis.Redis, settings: Settings) -> None:
    with TestClient(create_api(settings), base_url="http://127.0.0.1") as client:
        red = client.get("/readyz")
        evicting.config_set("maxmemory-policy", "noeviction")
        green = client.get("/readyz")
    assert red.status_code == 503
    assert "allkeys-lru" in red.json()["checks"]["redis"]
    assert green.status_code == 200
    assert any("appendonly is off" in warning for warning in green.json()["warnings"])


@pytest.mark.usefixtures("database")
def test_readiness_names_a_redis_that_hangs(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    options = ["--port", str(port), "--dir", str(tmp_path), "--save", ""]
    process = subprocess.Popen([redis_program(), *options], stdout=subprocess.DEVNULL)
    try:
        hung = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{port}/0"})
        with connect(hung.redis_url) as client:
            wait_for(client)
        with TestClient(create_api(hung), base_url="http://127.0.0.1") as client:
            green = client.get("/readyz")
            process.send_signal(signal.SIGSTOP)
            red = client.get("/readyz")
            process.send_signal(signal.SIGCONT)
            again = [client.get("/readyz").status_code for _ in range(3)]
        said = "no answer within 2 s: does it hang? is Redis up, and is SIGHTLINE_REDIS_URL right?"
        assert (green.status_code, red.status_code, again[-1]) == (200, 503, 200)
        checks = red.json()["checks"]
        assert "no answer within 2 s" in checks.pop("agreement")  # which asks Redis too
        assert checks == {"redis": said, "frame_store": "ok", "database": "ok"}
    finally:
        process.kill()
        process.wait()


def test_a_cluster_is_refused_in_words(tmp_path: Path) -> None:
    port = next(port for _ in range(1000) if (port := free_port()) < 55_000)  # ten thousand above is its bus
    options = ["--port", str(port), "--cluster-enabled", "yes", "--dir", str(tmp_path), "--save", ""]
    process = subprocess.Popen([redis_program(), *options], stdout=subprocess.DEVNULL)
    try:
        with connect(f"redis://127.0.0.1:{port}/0") as client:
            wait_for(client)
            with pytest.raises(SettingsError, match="it is a Cluster"):
                require_usable(client)
    finally:
        process.terminate()
        process.wait(10)


def test_who_may_not_ask_is_not_refused_for_it(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as admin:
        admin.execute_command("ACL", "SETUSER", "guest", "on", ">s3cret", "+ping")
        try:
            with connect(redis_url.replace("redis://", "redis://guest:s3cret@")) as guest:
                assert look_at(guest) is None
        finally:
            admin.acl_deluser("guest")
