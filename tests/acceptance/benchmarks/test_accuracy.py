"""The accuracy benchmark's folder of photos goes through a running Sightline, as a user submits it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy.run import Config, read_all
from benchmarks.accuracy.submitted import with_submitted
from benchmarks.accuracy.truth import Photo
from sightline.testing import make_picture

STUB = Config("drawn pictures", {"plates_model": "stub", "recognizer": "stub"})


def test_a_photo_is_right_if_its_plate_is_a_passage_of_the_folder(tmp_path: Path) -> None:
    photos: list[Photo] = []
    for row, (text, label) in enumerate((("AB12CD", "AB12CD"), ("XY34", "XY34"), ("KL56MN", "KL58MN"))):
        path = tmp_path / f"{row}.png"
        path.write_bytes(make_picture(text))
        photos.append(Photo(path, "here", row, (0.0, 0.0, 1.0, 1.0), label, label))
    judged = read_all(photos, STUB, lambda: None)
    assert [one.submitted for one in judged] == [None, None, None]
    assert [one.submitted for one in with_submitted(judged, STUB)] == [True, True, False]
