"""Lists of sinks say what each wants, and forget what went wrong before it was resumed."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from sightline.cli import app
from storage.access.keys import Role
from storage.database.engine import Database
from storage.sinks.sinks import add_sink, new_sink, update_sink
from storage.tables import Sinks
from tests.integration.api.uploading import Key


def last_error(database: Database) -> str | None:
    with database.read() as connection:
        return connection.scalar(sa.select(Sinks.last_error))


def test_options_are_listed(api_url: str, database: Database, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_URL", api_url)
    monkeypatch.setenv("SIGHTLINE_API_KEY", key(Role.VIEWER)["X-API-Key"])
    options = {"lists": ["deny"], "min_confidence": 0.9, "headers": {"Authorization": "Bearer hidden"}}
    add_sink(database, new_sink(sink_id="hook", url="http://127.0.0.1:1/", options=options))
    shown = " ".join(CliRunner().invoke(app, ["sinks", "list"]).output.split())
    assert "lists deny" in shown
    assert "min_confidence 0.90" in shown
    assert "Authorization" in shown
    assert "hidden" not in shown


@pytest.mark.parametrize("change", [{"enabled": True}, {"url": "http://127.0.0.1:2/"}])
def test_what_went_wrong_is_forgotten(database: Database, change: dict[str, object]) -> None:
    add_sink(database, new_sink(sink_id="hook", url="http://127.0.0.1:1/"))
    with database.write() as connection:
        connection.execute(sa.update(Sinks).values(last_error="HTTP 410"))
    update_sink(database, "hook", sources=("gate",))
    assert last_error(database) == "HTTP 410"
    update_sink(database, "hook", **change)
    assert last_error(database) is None
