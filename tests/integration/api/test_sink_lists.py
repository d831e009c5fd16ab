"""Lists of sinks say what each wants, and forget what went wrong before it was resumed."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from typer.testing import CliRunner

from sightline.cli import app
from storage.access.keys import Role
from storage.cameras import Camera, add_camera
from storage.database.engine import Database
from storage.passages.plate_lists import add_plates, new_plate
from storage.sinks.sinks import add_sink, new_sink, update_sink
from storage.tables import Sinks
from storage.zones import Zone
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


def test_names_that_nothing_has_are_said(
    api_url: str, database: Database, key: Key, monkeypatch: pytest.MonkeyPatch, stored: object
) -> None:
    """They may come later, so the sink is added all the same."""
    monkeypatch.setenv("SIGHTLINE_API_URL", api_url)
    monkeypatch.setenv("SIGHTLINE_API_KEY", key(Role.OPERATOR)["X-API-Key"])
    zone = Zone.model_validate({"name": "lane", "polygon": [[0, 0.5], [1, 0.5], [1, 1]], "mode": "report"})
    url = SecretStr("rtsp://127.0.0.1:1/s")
    add_camera(database, Camera(camera_id="yard", url=url, enabled=False, zones=(zone,)))
    add_plates(database, [new_plate("deny", "KAB4721")])
    add = ["sinks", "add", "hook", "http://127.0.0.1:1/"]
    known = ["--list", "deny", "--source", "gate", "--source", "yard", "--zone", "lane"]
    odd = ["--list", "dney", "--source", "gaet", "--zone", "lnae"]
    done = CliRunner().invoke(app, [*add, *known, *odd])
    assert done.exit_code == 0, done.output
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    names = ("dney", "gaet", "lnae", "'deny'", "'gate'", "'yard'", "'lane'")
    assert [name for note in notes for name in names if name in note] == ["dney", "gaet", "lnae"]
    assert "hook added" in done.stdout
