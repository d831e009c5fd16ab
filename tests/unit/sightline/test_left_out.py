"""What of a folder is not submitted is named with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.images.kinds import name_kind
from sightline.submission.files import find_files
from sightline.submission.left_out import find_left_out, say_left_out
from tests.png import png

HEIC = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (HEIC, "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "MP4"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"GIF89a", "GIF"),
        (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "BMP"),
        (b"BMW 320i, black, seen at the gate", None),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
        (b"hello", None),
        (b"", None),
    ],
)
def test_a_file_is_called_by_its_name(start: bytes, kind: str | None) -> None:
    assert name_kind(start) == kind


def test_each_file_that_is_left_out_has_its_reason(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "car.png").write_bytes(png(10, 10))
    (inner / "plan.psd").write_bytes(b"8BPS\0\1")
    (inner / "notes.txt").write_text("to do")
    (inner / "nothing").touch()
    (inner / ".hidden").write_text("x")
    (inner / "Thumbs.db").write_text("x")
    for name in (".Trash-1000/files/a.png", ".b.png", "half.jpg.part", "inner/_read/c.png", "_unreadable/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png(10, 10))
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "more").symlink_to(inner)
    files = find_files([tmp_path])
    assert files == [inner / "car.png"]
    left_out = find_left_out([tmp_path, tmp_path], files)
    assert {str(each.path.relative_to(tmp_path)): each.why for each in left_out} == {
        "gone.jpg": "link to nothing",
        "more": "link to a folder",
        "inner/plan.psd": "Photoshop, which is not read; convert it",
        "inner/notes.txt": "no photo or video",
        "inner/nothing": "empty",
        "half.jpg.part": "named as an unfinished upload",
        "inner/_read": "put away by a watched folder; name it to submit it",
        "_unreadable": "put away by a watched folder; name it to submit it",
    }
    said = say_left_out(left_out * 2, len(files))
    assert said.startswith(
        "left out 16 of 17: _unreadable (put away by a watched folder; name it to submit it), gone.jpg ("
    )
    assert said.endswith(", and 11 more")
    put_away = [tmp_path / "_unreadable", inner / "_read"]
    assert not {each.path for each in find_left_out([tmp_path, *put_away], files)} & set(put_away)
    named = [tmp_path / "half.jpg.part", tmp_path / ".Trash-1000", tmp_path / "inner" / "_read"]
    assert [path.name for path in find_files(named)] == ["half.jpg.part", "a.png", "c.png"]


def test_a_named_file_and_a_folder_of_photos_leave_nothing_out(tmp_path: Path) -> None:
    (tmp_path / "car.png").write_bytes(png(10, 10))
    note = tmp_path.parent / "note.txt"
    note.write_text("x")
    paths = [tmp_path, note]
    assert find_left_out(paths, find_files(paths)) == []
