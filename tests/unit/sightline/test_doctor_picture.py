"""The doctor's picture has a plate, and only who reads it is well."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sightline.doctor import picture
from sightline.doctor.finding import State
from sightline.settings import load_settings
from sightline.types import JobStatus


@pytest.mark.parametrize(
    ("texts", "state", "says"),
    [
        (["MDR 4812"], State.OK, "the plate MDR4812 was read,"),
        (["MDR 4B12"], State.WARN, "the plate MDR4812 was read as MDR 4B12,"),
        ([], State.WARN, "the plate MDR4812 was not read,"),
    ],
)
def test_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str], state: State, says: str
) -> None:
    sent: list[bytes] = []
    readings = tuple(SimpleNamespace(text=text) for text in texts)
    result = SimpleNamespace(status=JobStatus.STORED, frames=(), readings=readings)
    job = SimpleNamespace(frames=(SimpleNamespace(frame_id="f1"),))

    class Client:
        def __init__(self, _settings: object) -> None: ...

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def submit(self, data: bytes, **_: object) -> Any:
            sent.append(data)
            return SimpleNamespace(job=job, job_id="j1", wait=lambda _within_s: result)

    monkeypatch.setattr(picture, "Sightline", Client)
    settings = load_settings(data_dir=tmp_path)
    found = [finding for _ in range(2) for finding in picture.send_a_picture(settings)]
    assert {finding.state for finding in found} == {state}
    assert found[0].says.startswith(says)
    assert bool(found[0].do) == (state is not State.OK)
    assert sent[0] != sent[1]
