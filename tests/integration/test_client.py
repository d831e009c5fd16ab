"""What one may give to the Python client, on a real Redis without workers."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline import AsyncSightline, BadMessageError, Sightline, SubmittedJob, WaitTimeoutError
from sightline.settings import Settings
from tests.integration.api.uploading import jpeg

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def sightline(settings: Settings) -> Iterator[Sightline]:
    with Sightline(settings) as client:
        yield client


def test_the_same_picture_in_any_form_is_the_same_job(sightline: Sightline, tmp_path: Path) -> None:
    path = tmp_path / "car.jpg"
    path.write_bytes(jpeg())
    with path.open("rb") as file:
        images: list[Any] = [path, str(path), jpeg(), bytearray(jpeg()), memoryview(jpeg()), io.BytesIO(jpeg()), file]
        jobs = [sightline.submit(image, captured_at=NOW) for image in images]
    assert len({job.job_id for job in jobs}) == 1
    assert [job.job.frames[0].name for job in jobs] == ["car.jpg", "car.jpg", "", "", "", "", "car.jpg"]


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((10, 10, 3), np.uint8), r'numpy.ndarray; .* cv2.imencode\("\.jpg", array\)'),
        (Image.new("RGB", (10, 10)), r"PIL\.Image\.Image; .* image\.save\(buffer"),
        ([b"one", b"two"], r"list; .* submit\(\*images\)"),
        (io.StringIO("text"), r'_io\.StringIO; .* open\(path, "rb"\)'),
        (None, "NoneType"),
        (7, "int"),
    ],
)
def test_what_is_no_picture_is_told_what_to_write(sightline: Sightline, image: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        sightline.submit(image)


@pytest.mark.parametrize("url", ["https://example.org/car.jpg", "HTTP://example.org/", "data:image/jpeg;base64,AAAA"])
def test_a_url_is_no_path(sightline: Sightline, url: str) -> None:
    with pytest.raises(BadMessageError, match="is a URL, not a path; submit its bytes, or post it to the API"):
        sightline.submit(url)


def test_a_client_that_was_used_can_be_pickled(sightline: Sightline) -> None:
    job = sightline.submit(jpeg())
    copy: SubmittedJob = pickle.loads(pickle.dumps(job))
    assert copy.job == job.job
    with pytest.raises(WaitTimeoutError):
        copy.wait(0.1)
    with pickle.loads(pickle.dumps(sightline)) as again:
        assert again.submit(jpeg()).job_id == job.job_id


def test_who_waits_in_vain_learns_whether_the_job_is_known(sightline: Sightline) -> None:
    job = sightline.submit(jpeg())
    with pytest.raises(WaitTimeoutError, match=r"is not finished after 0\.1 s; it goes on, wait again with its id"):
        job.wait(0.1)
    with pytest.raises(WaitTimeoutError, match=r"sent to the broker of this Sightline .*, and does a worker run"):
        sightline.wait("sent-into-the-blue", 0.1)


async def test_so_can_an_async_one(settings: Settings) -> None:
    async with AsyncSightline(settings) as client:
        job = await client.submit(io.BytesIO(jpeg()))
        async with pickle.loads(pickle.dumps(client)) as again:
            assert (await again.submit(jpeg())).job_id == job.job_id
