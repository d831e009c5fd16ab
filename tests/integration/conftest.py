"""What most of these tests stand on: settings, a database, and the API with an operator who asks it.

A file that needs other settings has a fixture `settings` of its own; the others follow from it.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient

from producers.api.app import create_app
from producers.api.middleware.protocol import ImpatientProtocol
from sightline.celery.app import create_app as create_celery_app
from sightline.retry import Patience
from sightline.settings import Settings, load_settings
from storage.access.keys import Role, create_key
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from tests.conftest import free_port
from workers.stages.services import Services, open_services


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """The run's Redis; all else is in the folder of the test."""
    return load_settings(
        data_dir=tmp_path, redis_url=redis_url, frames_url=(tmp_path / "frames").as_uri(), api_port=free_port()
    )


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no rows, to copy: that is faster than making them."""
    path = tmp_path_factory.mktemp("template") / "sightline.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(settings: Settings, sqlite_template: Path) -> Iterator[Database]:
    """The SQLite of the settings, with all tables and no rows."""
    shutil.copy(sqlite_template, settings.data_dir / "sightline.sqlite3")
    opened = open_database(settings.sqlalchemy_url)
    yield opened
    opened.close()


@pytest.fixture
def operator_key(database: Database) -> str:
    return create_key(database, "test", Role.OPERATOR)


@pytest.fixture
def client(settings: Settings, operator_key: str) -> Iterator[TestClient]:
    """An operator who asks the API in this process."""
    headers = {"X-API-Key": operator_key}
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080", headers=headers) as client:
        yield client


@pytest.fixture
def api_url(settings: Settings, database: Database) -> Iterator[str]:
    """The API behind a real server, on the port of the settings."""
    config = uvicorn.Config(
        create_app(settings),
        port=settings.api_port,
        http=ImpatientProtocol,
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{settings.api_port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[Services]:
    """What a stage is given."""
    settings = load_settings(redis_url=redis_url, data_dir=tmp_path, max_attempts=3, job_timeout_s=60)
    opened = open_services(create_celery_app(settings), settings, "test@here", Patience())
    yield opened
    channel = getattr(opened.delivery.broker._transport, "_channel", None)
    if channel is not None:  # the garbage of the last test would be a warning after the end
        channel.pool.disconnect()
