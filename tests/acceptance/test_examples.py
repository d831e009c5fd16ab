"""The programs that the documentation shows, as a reader would run them."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from celery import Celery
from fastapi.testclient import TestClient

from demo.__main__ import CLIP_PLATES
from demo.scene import write_clip
from sightline import Sightline, WaitTimeoutError
from sightline.testing import make_picture
from tests.acceptance.parts.machine import Machine
from tests.acceptance.parts.system import ROOT, System
from tests.conftest import free_port
from tests.installing import forget_packages

EXAMPLES = ROOT / "examples"


def load(path: Path) -> ModuleType:
    """A program of one file, as Python would import it."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # annotations are looked up there
    spec.loader.exec_module(module)
    return module


# A detector and a recognizer of one's own.


@pytest.fixture(scope="module")
def displays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install ./examples/displays` makes."""
    folder = tmp_path_factory.mktemp("displays")
    install = ["install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *install, str(EXAMPLES / "displays")], check=True)
    return folder


@pytest.fixture
def installed(displays: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(displays))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(displays), str(ROOT)]))
    forget_packages()
    yield
    forget_packages()


@pytest.mark.parametrize("number", ["2047", "11", "90834561"])
def test_the_example_reads_displays_in_a_worker(
    installed: None, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    picture = tmp_path / "meter.png"
    subprocess.run([sys.executable, "-m", "displays.picture", number, str(picture)], cwd=tmp_path, check=True)
    models = EXAMPLES / "displays/models.toml"
    system = System(tmp_path, redis_url, models_file=models, text_model="displays", recognizer="seven-segment")
    system.start("worker")
    try:
        with Sightline(system.settings) as client:
            result = client.submit(picture, pipeline="text").wait(90)
    finally:
        system.stop()
    (reading,) = result.readings
    assert reading.text == number
    assert reading.confidence > 0.9
    (detection,) = result.detections
    assert detection.label == "display"
    assert {run.model for run in result.frames[0].stages} == {"displays", "seven-segment"}


def test_the_example_says_nothing_of_what_it_cannot_read(installed: None) -> None:
    from displays.detector import displays_in  # pyright: ignore[reportMissingImports]
    from displays.picture import draw  # pyright: ignore[reportMissingImports]
    from displays.recognizer import read  # pyright: ignore[reportMissingImports]

    image = draw("88")
    assert displays_in(image[:200]) == []
    assert read(image[:200]).text == ""
    image[300:312, 332:368] = image[349:361, 332:368] = 20  # two segments go out: what stays is no digit
    (display,) = displays_in(image)
    left, top, right, bottom = map(int, display.xyxy)
    assert read(image[top:bottom, left:right]).text == ""


def test_the_page_tells_how_to_test_a_recognizer(installed: None) -> None:
    page = (ROOT / "docs/tutorials/recognizer.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(code, "recognizer.md", "exec"), {})


# Web applications and a Celery app.


@pytest.fixture
def system(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    running = System(tmp_path, redis_url, plates_model="stub", recognizer="stub")
    running.start("worker")
    for name, value in running.environment.items():
        if name.startswith("SIGHTLINE_"):
            monkeypatch.setenv(name, value)
    yield running
    running.stop()


def test_django_reads_at_once_or_later(system: System) -> None:
    import django
    from django.conf import settings
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test import Client

    app = load(EXAMPLES / "web/django_app.py")
    settings.configure(ROOT_URLCONF=app.__name__, ALLOWED_HOSTS=["testserver"], SECRET_KEY="only for this test")
    django.setup()
    client = Client()

    def photo(data: bytes) -> dict[str, SimpleUploadedFile]:
        return {"photo": SimpleUploadedFile("car.png", data)}

    assert client.post("/read", photo(make_picture("AB12CD"))).json() == {"plates": ["AB12CD"]}
    job_id = client.post("/accept", photo(make_picture("EF34GH"))).json()["job_id"]
    until = time.monotonic() + 90
    while (answer := client.get(f"/result/{job_id}")).status_code == 202:
        assert time.monotonic() < until
    assert answer.json() == {"status": "stored", "plates": ["EF34GH"]}
    refused = client.post("/read", photo(b"no picture"))
    assert (refused.status_code, "no JPEG, PNG or WebP" in refused.json()["error"]) == (422, True)
    app.sightline().close()


def test_flask_answers_with_the_plates(system: System) -> None:
    app = load(EXAMPLES / "web/flask_app.py")
    client = app.app.test_client()
    photo, other = io.BytesIO(make_picture("AB12CD")), io.BytesIO(b"no picture")
    assert client.post("/read", data={"photo": (photo, "car.png")}).get_json() == {"plates": ["AB12CD"]}
    assert client.post("/read", data={"photo": (other, "car.png")}).status_code == 422
    app.sightline().close()


def test_fastapi_answers_with_the_plates(system: System) -> None:
    app = load(EXAMPLES / "web/fastapi_app.py")
    with TestClient(app.app) as client:
        assert client.post("/read", files={"photo": make_picture("AB12CD")}).json() == {"plates": ["AB12CD"]}
        assert client.post("/read", files={"photo": b"no picture"}).status_code == 422


def test_a_celery_app_with_a_broker_of_its_own_gets_the_result(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another database of the Redis of this run is its broker. Its tasks run here, in the order they were sent."""
    monkeypatch.setenv("SHOP_BROKER_URL", system.settings.redis_url.rpartition("/")[0] + "/1")
    shop = load(EXAMPLES / "web/celery_app.py")
    path = system.folder / "car.png"
    path.write_bytes(make_picture("AB12CD"))
    sent: list[list[str]] = []
    monkeypatch.setattr(shop.keep_plates, "apply_async", lambda arguments, countdown: sent.append(arguments))
    job_id = shop.read_plates.apply([str(path)]).get()
    assert sent == [[job_id]]
    until = time.monotonic() + 90
    while not (done := shop.keep_plates.apply(sent[0], retries=200)).successful():
        assert isinstance(done.result, WaitTimeoutError), done.result
        assert time.monotonic() < until
    assert done.result == ["AB12CD"]
    assert isinstance(shop.app, Celery)
    assert shop.app.conf.broker_url != system.settings.redis_url
    shop.sightline().close()


# A gate.


def test_the_gate_opens_for_the_plate_that_may_enter(tmp_path: Path) -> None:
    """In the order of the page, with the clip of the demo: so long that a car that comes again is a new passage."""
    port = free_port()
    write_clip(tmp_path / "clip.mp4", CLIP_PLATES)
    machine = Machine(tmp_path / "data")
    receiver = None
    try:
        machine.cli("cameras", "add", "gate", str(tmp_path / "clip.mp4"), "--fps", "4", "--loop")
        machine.cli("plates", "add", "allow", "KAB 4721", "--tolerance", "0")
        events = ("--event", "passage.new", "--event", "passage.update")
        url = f"http://127.0.0.1:{port}/"
        (sink,) = machine.rows("sinks", "add", "gate-opener", url, "--source", "gate", *events)
        with (tmp_path / "opened").open("w") as opened:
            receiver = subprocess.Popen(
                [sys.executable, str(EXAMPLES / "gate/open_gate.py"), str(port)],
                env={"GATE_SECRET": sink["secret"]},
                stdout=opened,
                stderr=subprocess.DEVNULL,
            )
        until = time.monotonic() + 120
        while machine.cli("sinks", "test", "gate-opener", check=False).returncode:
            assert time.monotonic() < until
        while not (said := (tmp_path / "opened").read_text()):
            assert time.monotonic() < until, machine.rows("passages")
            time.sleep(0.2)
        assert set(said.splitlines()) == {"open the gate for KAB4721"}
    finally:
        if receiver is not None:
            receiver.kill()
            receiver.wait(5)
        machine.stop()


def test_a_gate_stays_shut_for_what_was_not_signed_or_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_SECRET", "whsec_" + "c2VjcmV0" * 4)
    gate = load(EXAMPLES / "gate/open_gate.py")
    opened: list[str] = []
    monkeypatch.setattr(gate, "open_gate", opened.append)
    now = datetime.now(UTC)
    allowed = {"list": "allow", "matched": "KAB4721"}

    def passage(name: str, seconds_ago: float, match: object) -> dict[str, object]:
        seen = (now - timedelta(seconds=seconds_ago)).isoformat()
        return {"data": {"passage_id": name, "text": "KAB4721", "match": match, "last_seen": seen}}

    for event in (
        passage("late", 60, allowed),
        passage("unknown", 0, None),
        passage("denied", 0, {"list": "deny", "matched": "KAB4721"}),
        passage("right", 0, allowed),
        passage("right", 0, allowed),
    ):
        gate.handle(event)
    assert opened == ["KAB4721"]
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
    assert not gate.is_ours(headers, json.dumps(passage("forged", 0, allowed)).encode())
