"""What a user gets: all photos in one folder, submitted at once to a running Sightline, as passages of one source.

The photos are files of one moment, as an unpacked archive has them. Everything runs that runs in production, on free
ports and in a temporary folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from benchmarks.accuracy.judge import Judged
from benchmarks.accuracy.run import Config
from benchmarks.accuracy.truth import Photo
from sightline.errors import SightlineError
from sightline.local.embedded_redis import free_port

_ROOT = Path(__file__).parents[2]
_SOURCE = "photos"
_START_S = 120


def with_submitted(judged: Sequence[Judged], config: Config) -> list[Judged]:
    """The same with `submitted`: whether the photo's plate is one of the passages.

    Raises:
        SightlineError: Sightline did not start or did not take the photos; says what it said.
    """
    with tempfile.TemporaryDirectory(prefix="sightline-accuracy-") as folder:
        photos = _copy([one.photo for one in judged], Path(folder) / "photos")
        with _running(Path(folder) / "data", config) as (url, environment):
            _run("submit", str(photos), "--source", _SOURCE, "--wait", environment=environment)
            plates = list(_passages(url))
    return [replace(one, submitted=_is_among(one.photo, plates)) for one in judged]


def _is_among(photo: Photo, plates: Sequence[str]) -> bool:
    return photo.canonical(photo.corrected) in {photo.canonical(plate) for plate in plates}


def _copy(photos: Sequence[Photo], folder: Path) -> Path:
    now = time.time()
    for photo in photos:
        copy = folder / photo.country / f"{photo.row:05}-{photo.path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo.path, copy)
        os.utime(copy, (now, now))
    return folder


@contextmanager
def _running(data: Path, config: Config) -> Iterator[tuple[str, Mapping[str, str]]]:
    """`sightline up`. Yields where its API is and the environment of its clients."""
    environment = _environment(data, config)
    port = free_port()
    log = data.with_suffix(".log")
    with log.open("wb") as said:
        up = subprocess.Popen(
            _sightline("up", "--port", str(port), "--flower-port", "0"),
            stdout=said,
            stderr=said,
            env=environment,
            cwd=_ROOT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(up, url, log)
        yield url, environment
    finally:
        if up.poll() is None:
            up.send_signal(signal.SIGINT)
            try:
                up.wait(30)
            except subprocess.TimeoutExpired:
                up.kill()


def _wait_until_ready(up: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _START_S
    while up.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SightlineError(f"`sightline up` did not answer in {_START_S} s:\n{log.read_text(errors='replace')[-2000:]}")


def _passages(url: str) -> Iterator[str]:
    """The plates of all passages, page by page."""
    query: dict[str, str | int] = {"source": _SOURCE, "limit": 1000}
    while True:
        page = httpx.get(f"{url}/v1/passages", params=query, timeout=60, trust_env=False).raise_for_status().json()
        yield from (passage["text"] for passage in page["items"])
        if not page["next_cursor"]:
            return
        query["cursor"] = page["next_cursor"]


def _run(*arguments: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        _sightline(*arguments), env=environment, cwd=_ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SightlineError(f"`sightline {' '.join(arguments)}` failed: {done.stderr[-2000:]}{done.stdout[-2000:]}")


def _sightline(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sightline", *arguments]


def _environment(data: Path, config: Config) -> dict[str, str]:
    """This process's own with the settings of the configuration, but no place where another Sightline may be."""
    settings = config.settings()
    given = settings.model_dump(mode="json", include=settings.model_fields_set)
    places = ("_url", "_host", "_port", "_key", "data_dir")
    ours = {f"SIGHTLINE_{name.upper()}": str(each) for name, each in given.items() if not name.endswith(places)}
    names = ("REDIS_URL", "DATABASE_URL")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_") and key not in names}
    return clean | ours | {"SIGHTLINE_DATA_DIR": str(data)}
