"""`sightline erase` against a real API."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from sightline.cli import app
from sightline.errors import BadMessageError
from storage.access.keys import Role, create_key
from storage.database.engine import Database
from storage.results import queries
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store


def test_it_asks_first_and_says_what_went(api_url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_URL", api_url)
    monkeypatch.setenv("SIGHTLINE_API_KEY", create_key(database, "officer", Role.ADMIN))
    one, other = frame_result(["AB12CD"]), frame_result(["XY98ZW"], at_s=500)
    open_store(database, 10).store([message(one, other)], ())

    declined = CliRunner().invoke(app, ["erase", "source", "gate"], input="n\n")
    assert (declined.exit_code, len(queries.list_passages(database).items)) == (1, 2)
    done = CliRunner().invoke(app, ["erase", "frame", one.frame.frame_id, "--yes"])
    assert done.exit_code == 0
    said = " ".join(done.output.split())
    assert said == f"frame {one.frame.frame_id} is gone: 1 frames, 1 detections, 1 readings, 1 passages"
    assert CliRunner().invoke(app, ["erase", "source", "gate"], input="y\n").exit_code == 0
    assert queries.list_passages(database).items == ()
    again = CliRunner().invoke(app, ["erase", "source", "gate", "--yes"])
    assert isinstance(again.exception, BadMessageError)
    assert str(again.exception) == "there is no data of source 'gate'"
