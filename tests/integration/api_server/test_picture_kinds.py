"""HEIC, AVIF, TIFF and others at every door: the API, the clients, the command line; as files, folders, text, URLs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from producers.api.uploads import forms
from sightline import BadImageError, Sightline
from sightline.blobs.names import frames_name
from sightline.cli import main
from sightline.delivery.publisher import Publisher
from sightline.settings import Settings
from sightline.types import FrameRef
from tests.integration.api.uploading import jpeg, upload
from tests.picture_kinds import KINDS, animated, dated, encoded, looks_drawn

Seen = Callable[[], list[tuple[FrameRef, bytes]]]
every_kind = pytest.mark.parametrize("suffix", KINDS)


@pytest.fixture
def seen(settings: Settings) -> Iterator[Seen]:
    """The frames that were accepted, by name, with the pictures that workers will find."""
    publisher = Publisher.from_settings(settings)

    def look() -> list[tuple[FrameRef, bytes]]:
        found: list[tuple[FrameRef, bytes]] = []
        for job in publisher.ledger.open_jobs(limit=100):
            pictures = publisher.frames.get_bundle(frames_name(job.job_id), [frame.frame_id for frame in job.frames])
            found += [(frame, picture or b"") for frame, picture in zip(job.frames, pictures, strict=True)]
        return sorted(found, key=lambda each: each[0].name)

    yield look
    publisher.close()


def test_a_form_of_all_kinds_at_once(client: TestClient, seen: Seen) -> None:
    answer = upload(client, ("a.jpg", jpeg()), *((f"b{suffix}", encoded(suffix)) for suffix in KINDS))
    assert (answer.status_code, answer.json().get("notes")) == (202, None)
    frames = seen()
    assert [frame.name for frame, _ in frames] == ["a.jpg", *sorted(f"b{suffix}" for suffix in KINDS)]
    assert frames[0][1] == jpeg()  # as it came
    assert all(looks_drawn(picture) for _, picture in frames[1:])


@every_kind
def test_one_as_the_body_and_in_base64_are_the_same_job(client: TestClient, seen: Seen, suffix: str) -> None:
    data = encoded(suffix)
    body = client.post("/v1/jobs", content=data, headers={"content-type": f"image/{suffix[1:]}"}).json()
    text = client.post("/v1/jobs", json={"images": [base64.b64encode(data).decode()]}).json()
    assert body["job_id"] == text["job_id"]
    ((_, picture),) = seen()
    assert looks_drawn(picture)


def test_one_by_its_url(client: TestClient, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(urls: list[str], settings: Settings) -> list[bytes]:
        return [encoded(".heic") for _ in urls]

    monkeypatch.setattr(forms, "fetch_images", fetch)
    assert client.post("/v1/jobs", json={"urls": ["https://example.org/a.heic"]}).status_code == 202
    ((frame, picture),) = seen()
    assert (frame.name, looks_drawn(picture)) == ("a.heic", True)


def test_the_time_in_it_counts_and_the_first_of_several_pictures_is_said(client: TestClient, seen: Seen) -> None:
    answer = upload(client, ("a.heic", dated(".heic", "2024:05:06 07:08:09", offset="Z")), ("b.gif", animated()))
    assert answer.json()["notes"] == ["b.gif: GIF of several pictures, of which the first was taken"]
    (photo, film) = seen()
    assert (photo[0].captured_at, photo[0].time_from) == (datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), "exif")
    assert looks_drawn(film[1])


def test_limits_hold_and_name_the_file(settings: Settings, operator_key: str) -> None:
    small = settings.model_copy(update={"max_image_mpx": 0.01})
    with TestClient(create_app(small), headers={"X-API-Key": operator_key}) as client:
        for suffix in KINDS:
            answer = upload(client, (f"a{suffix}", encoded(suffix)))
            says = f"file 'a{suffix}': image: 320 x 200 are 0 megapixels, at most 0.01"
            assert answer.json()["detail"].startswith(says)


@pytest.mark.parametrize("mode", ["redis", "http"])
def test_the_python_client(mode: str, settings: Settings, api_url: str, operator_key: str, seen: Seen) -> None:
    given: dict[str, Any] = {"settings": settings} if mode == "redis" else {"url": api_url, "api_key": operator_key}
    with Sightline(**given) as client:
        job = client.submit(*map(encoded, KINDS), animated(), source_id="gate")
        assert job.notes[0].endswith(": GIF of several pictures, of which the first was taken")
        assert [frame.frame_id for frame in job.job.frames] == [
            client.submit(data, source_id="gate").job.frames[0].frame_id for data in (*map(encoded, KINDS), animated())
        ]
        with pytest.raises(BadImageError, match="this HEIC file is damaged or cut off"):
            client.submit(encoded(".heic")[:500])
    assert all(looks_drawn(picture) for _, picture in seen())


def test_the_command_line(
    settings: Settings,
    seen: Seen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for suffix in KINDS:
        (folder / f"a{suffix}").write_bytes(encoded(suffix))
    (folder / "b.gif").write_bytes(animated())
    (folder / "c.heic").write_bytes(encoded(".heic")[:500])
    monkeypatch.setenv("SIGHTLINE_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("SIGHTLINE_FRAMES_URL", settings.frame_store_url)
    monkeypatch.setattr("sys.argv", ["sightline", "submit", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1  # for the damaged one
    said = " ".join(capsys.readouterr().out.split())
    assert "c.heic image: this HEIC file is damaged or cut off" in said
    assert "b.gif GIF of several pictures, of which the first was taken" in said
    assert said.endswith("7 jobs submitted")
    assert len(seen()) == 7
    assert all(looks_drawn(picture) for _, picture in seen())
