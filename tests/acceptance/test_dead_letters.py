"""A dead frame gets a second life: a worker without the model, then one with it, and the CLI in between."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sightline import JobStatus, Sightline
from sightline.testing import make_picture
from storage.access.keys import Role, create_key
from storage.database.opening import open_database
from tests.acceptance.parts.system import ROOT, System
from tests.conftest import free_port
from tests.unit.onnx_models import write_yolox_rectangle_model

STUBS = {"plates_model": "stub", "text_model": "stub"}  # nothing here needs a real model


class Site(System):
    """Workers, and the API with the CLI in front of it."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        port = free_port()
        models = folder / "models.toml"
        models.write_text(
            '[models.yolox-s]\nkind = "yolox"\nsource = "https://models.example/yolox_s.onnx"\nlabels = ["plate"]'
        )
        super().__init__(
            folder,
            redis_url,
            models_file=models,
            api_port=port,
            api_url=f"http://127.0.0.1:{port}",
            **STUBS,
        )
        database = open_database(self.settings.sqlalchemy_url)
        self.key = create_key(database, "test", Role.OPERATOR)
        database.close()

    def start_api(self) -> None:
        with (self.folder / "api.log").open("wb") as log:
            self.workers["api"] = subprocess.Popen(
                [sys.executable, "-m", "producers.api"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def wait_for_api(self) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"{self.settings.api_url}/readyz", trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < until, self.log("api")
            time.sleep(0.1)

    def cli(self, *arguments: str, code: int = 0, answer: str = "") -> str:
        command = [sys.executable, "-m", "sightline", *arguments]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment | {"SIGHTLINE_API_KEY": self.key},
            input=answer,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.cli(*arguments, "--json").splitlines()]


@pytest.fixture
def site(tmp_path: Path, redis_url: str) -> Iterator[Site]:
    running = Site(tmp_path, redis_url)
    yield running
    running.stop()


def test_a_dead_frame_is_replayed_once_its_model_is_there(site: Site) -> None:
    site.start_api()
    site.start("detect", "write")
    pictures = [make_picture(text) for text in ("AB12CD", "EF34GH", "IJ56KL")]
    with Sightline(site.settings) as client:
        for picture in pictures:
            assert client.submit(picture, pipeline="objects", source_id="gate").wait(30).status is JobStatus.DEAD
        site.wait_until_quiet()
        site.wait_for_api()

        letters = site.rows("dead-letters")
        assert {(letter["reason"], letter["state"]) for letter in letters} == {("model_unavailable", "open")}
        first, second, third = (letter["letter_id"] for letter in letters)
        shown = site.cli("dead-letters", "show", first)
        assert "docs/reference/models.md" in shown
        assert f"/v1/dead-letters/{first}/picture" in shown
        assert not list((site.folder / "frames").glob("*/*"))  # freed; the picture store has them
        site.cli("dead-letters", "discard", "--since", "1h", code=1, answer="n\n")  # asked, and thought better of it
        assert "1 discarded" in site.cli("dead-letters", "discard", third)

        # Replayed too early it dies again, and is still the same letter.
        assert site.rows("dead-letters", "replay", first) == [{"count": 1, "refused": []}]
        site.wait_until_quiet()
        assert {letter["letter_id"]: letter["times"] for letter in site.rows("dead-letters")} == {first: 2, second: 1}

        # The file in its place is enough: the worker that missed it looks again.
        site.settings.models_dir.mkdir()
        write_yolox_rectangle_model(site.settings.models_dir / "yolox_s.onnx")
        time.sleep(2.5)  # what it knew from the last job has to be old
        assert "2 replayed" in site.cli("dead-letters", "replay", "--reason", "model_unavailable")
        site.wait_until_quiet()
        counts = client.publisher.ledger.counts()["gate"]
    assert site.rows("dead-letters") == []
    ended = {letter["letter_id"]: letter["state"] for letter in site.rows("dead-letters", "--all")}
    assert ended == {first: "stored", second: "stored", third: "discarded"}
    assert counts == {"published": 6, "dead": 4, "stored": 2}
    (audit,) = site.rows("audit")
    assert audit["balanced"]
    assert (audit["sources"][0]["rows"], audit["sources"][0]["dead_rows"]) == (2, 4)
    with site.database() as database, database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM detections WHERE label = 'plate'").scalar() == 2
