"""`/readyz` is red, in words, while the database cannot be written; it names no host, user or statement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlalchemy import event

from producers.api.app import create_app
from sightline.errors import StoreUnavailableError
from sightline.settings import load_settings
from storage.database.engine import Database
from tests.integration.storage.refusals.servers import Server


def test_a_postgres_that_only_reads(server: Server, redis_url: str, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, redis_url=redis_url, database_url=server.url())
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        assert client.get("/readyz").status_code == 200
        server.sql("ALTER DATABASE sightline SET default_transaction_read_only = on")
        server.end_sessions()
        answer = client.get("/readyz")
        server.sql("SET default_transaction_read_only = off", "ALTER DATABASE sightline RESET ALL")
        server.end_sessions()
        assert answer.status_code == 503
        assert answer.json()["checks"]["database"].startswith("read_only: it only reads now")
        assert client.get("/readyz").status_code == 200


def test_a_postgres_that_takes_writes_again_is_ready_at_once(server: Server, redis_url: str, tmp_path: Path) -> None:
    """Also if it refused one, and nobody wrote since: who is not ready is sent nothing to write."""
    settings = load_settings(data_dir=tmp_path, redis_url=redis_url, database_url=server.url())
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        opened: Database = client.app.state.services.database  # type: ignore[attr-defined]
        server.sql("ALTER DATABASE sightline SET default_transaction_read_only = on")
        server.end_sessions()
        with pytest.raises(StoreUnavailableError), opened.write() as connection:
            connection.execute(sa.text("DELETE FROM known_plates"))
        red = client.get("/readyz")
        server.sql("SET default_transaction_read_only = off", "ALTER DATABASE sightline RESET ALL")
        server.end_sessions()
        green = client.get("/readyz")
        assert (red.status_code, green.status_code) == (503, 200)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_sqlite_that_refused_a_moment_ago(client: TestClient, database: Database, settings: Any) -> None:
    opened: Database = client.app.state.services.database  # type: ignore[attr-defined]

    def limit(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON").close()

    opened.engine.dispose()
    event.listen(opened.engine, "connect", limit)
    refused = client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://127.0.0.1/x"})
    red = client.get("/readyz")
    event.remove(opened.engine, "connect", limit)
    opened.engine.dispose()
    assert (refused.status_code, red.status_code) == (503, 503)
    assert red.json()["checks"]["database"].startswith("read_only: its file cannot be written")
    assert str(settings.data_dir) not in red.text
    assert client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://127.0.0.1/x"}).status_code == 201
    assert client.get("/readyz").status_code == 200
