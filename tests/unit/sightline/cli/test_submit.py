"""`sightline submit`: what it says of files and results, and what it refuses before it connects."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sightline.cli import main
from sightline.cli.jobs.submitted import Finished, Printer, Submitted
from sightline.cli.jobs.transcripts import wanted
from sightline.errors import BadMessageError, SourceError
from sightline.submission.files import read_frames
from sightline.submission.left_out import LeftOut
from sightline.types import Detection, FrameError, FrameRef, FrameResult, Reading, StageRun
from sightline.video.report import VideoReport

FRAME = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=datetime(2026, 1, 2, tzinfo=UTC))


def test_texts_that_were_read_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_json=False, wait=True)
    texts = ["[/AB 123]", "KAB 4721"]
    readings = tuple(Reading(text=text, confidence=0.98) for text in texts)
    dead = FrameError(reason="model_unavailable", message="pip install '.[gpu]'", stage="detect")
    assert printer.show(Finished(Path("car [1].jpg"), (FrameResult(frame=FRAME, readings=readings),), "job")) == 0
    assert printer.show(Finished(Path("van.jpg"), (FrameResult(frame=FRAME, error=dead),), "job")) == 1
    assert [row.split(maxsplit=2) for row in capsys.readouterr().out.splitlines()] == [
        ["car", "[1].jpg", "[/AB 123] 0.98  KAB 4721 0.98"],
        ["van.jpg", "dead:", "pip install '.[gpu]'"],
    ]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_name_that_is_no_utf8_is_printed(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    printer = Printer(as_json=as_json, wait=True)
    path = Path(os.fsdecode(b"bad\xff.jpg"))
    printer.show(Submitted(path, error=SourceError(f"{path}: empty")))
    printer.close([LeftOut(path, "empty")], 1)
    said = capsys.readouterr()
    assert (said.out + said.err).encode().count(b"bad") >= 2


def test_objects_are_counted_by_label(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_json=False, wait=True)
    seen = [Detection(xyxy=(0, 0, 1, 1), label=label, class_id=0, confidence=0.9) for label in ("bus", "car", "car")]
    ran = {"model": "m", "model_sha256": "", "runtime": "stub", "worker": "w", "queue_wait_ms": 0, "inference_ms": 0}
    detect, ocr = (StageRun.model_validate(ran | {"stage": stage, "batch_size": 1}) for stage in ("detect", "ocr"))
    for name, detections, stages in [
        ("street.jpg", seen, (detect,)),
        ("night.jpg", [], (detect,)),
        ("wall.jpg", seen, (detect, ocr)),
    ]:
        frame = FrameResult(frame=FRAME, detections=tuple(detections), stages=stages)
        printer.show(Finished(Path(name), (frame,), "job"))
    assert [row.split(maxsplit=1)[1] for row in capsys.readouterr().out.splitlines()] == [
        "2 car, 1 bus",
        "nothing found",
        "3 detections, no text",
    ]


def test_videos_are_told_at_the_end_and_only_a_broken_off_one_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    one = VideoReport(frames=112)
    one.note_unreadable(23.4)
    two = VideoReport(frames=30, ended_early="ends at 0:03.0 of 0:08.0: the file is cut off or damaged there")
    for as_json in (False, True):
        printer = Printer(as_json=as_json, wait=True)
        assert printer.show(Submitted(Path("gate.mp4"), video=one)) == 0
        assert printer.show(Submitted(Path("yard.mp4"), video=two)) == 1
        assert printer.show(Submitted(Path("whole.mp4"), video=VideoReport(frames=7))) == 0
        assert printer.show(Submitted(Path("voice.mp4"), error=SourceError("voice.mp4: there is no picture"))) == 1
        printer.show(Finished(Path("gate.mp4"), (FrameResult(frame=FRAME),), "job"))
        printer.close()
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in (lines[0], *lines[2:5])] == [
        "voice.mp4 there is no picture",
        "gate.mp4 112 frames, 1 unreadable at 0:23.4",
        "yard.mp4 30 frames; ends at 0:03.0 of 0:08.0: the file is cut off or damaged there",
        "whole.mp4 7 frames",
    ]
    assert [json.loads(line).get("video") for line in lines[5:]] == [None, None, one.as_json(), two.as_json()]


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says before it ends with exit code 2."""
    monkeypatch.setattr("sys.argv", ["sightline", "submit", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_an_empty_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("")
    assert f"no photos or videos in {tmp_path}" in refused(monkeypatch, capsys, str(tmp_path))


def test_an_empty_path_is_not_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "private.jpg").write_bytes(b"private")
    monkeypatch.chdir(tmp_path)
    assert "path '': names nothing" in refused(monkeypatch, capsys, "")


def test_a_wrong_source_is_named_as_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "car.jpg").write_bytes(b"")
    assert "--source: 'a/b' is no source id" in refused(monkeypatch, capsys, str(tmp_path), "--source", "a/b")


def test_a_damaged_video_is_told_without_numbers(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video at all")
    with pytest.raises(SourceError) as caught:
        list(read_frames(path, fps=1))
    assert str(caught.value) == f"{path}: the file is damaged or no video"


def test_the_folder_for_several_transcripts_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out.d"
    assert wanted("transcribe", folder, "srt", 2) is not None
    assert folder.is_dir()
    for to, form, said in (
        (tmp_path / "all.srt", None, "is one file for 2 recordings; name a folder"),
        (tmp_path / "other", None, "say what to write in it, as --format srt"),
    ):
        with pytest.raises(BadMessageError, match=said):
            wanted("transcribe", to, form, 2)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "new"]


def test_a_transcript_without_its_folder_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadMessageError, match=r"there is no folder .*none'; make it: mkdir -p"):
        wanted("transcribe", tmp_path / "none" / "x.srt", None, 1)


def test_a_file_without_a_question_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prompts.jsonl").write_text("\n")
    given = [str(tmp_path / "prompts.jsonl"), "--pipeline", "chat", "--out", str(tmp_path / "answers.jsonl")]
    monkeypatch.setattr("sys.argv", ["sightline", "submit", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "there is no question in it; write one JSON object a line" in capsys.readouterr().err
