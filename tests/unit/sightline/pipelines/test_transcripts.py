"""Transcripts as text, SRT and WebVTT."""

from __future__ import annotations

import json
import re

from sightline.pipelines.speech import Segment, TranscribeResult, Word
from sightline.pipelines.transcripts import as_json, as_srt, as_text, as_vtt, captions
from sightline.testing import make_frame_refs

(ITEM,) = make_frame_refs(1)


def result(*segments: Segment) -> TranscribeResult:
    text = " ".join(segment.text for segment in segments)
    return TranscribeResult(frame=ITEM, text=text, segments=segments, duration_s=9.0)


def segment(start_s: float, end_s: float, text: str, *, timed: bool = True) -> Segment:
    each = text.split()
    step = (end_s - start_s) / len(each)
    words = tuple(
        Word(text=one, start_s=start_s + number * step, end_s=start_s + (number + 1) * step)
        for number, one in enumerate(each)
    )
    return Segment(start_s=start_s, end_s=end_s, text=text, words=words if timed else ())


TWO = result(segment(0.5, 2.0, "hello there"), segment(3661.0415, 3663, "a < b --> c & d", timed=False))


def test_srt() -> None:
    assert as_srt(TWO) == (
        "1\n00:00:00,500 --> 00:00:02,000\nhello there\n\n2\n01:01:01,042 --> 01:01:03,000\na < b -> c & d\n"
    )


def test_vtt() -> None:
    assert as_vtt(TWO) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nhello there\n"
        "\n01:01:01.042 --> 01:01:03.000\na &lt; b --&gt; c &amp; d\n"
    )


def test_text_is_a_line_a_segment_and_json_is_all_of_it() -> None:
    assert as_text(TWO) == "hello there\na < b --> c & d\n"
    assert json.loads(as_json(TWO)) == TWO.found


def test_nothing_said_is_an_empty_file_of_its_kind() -> None:
    assert (as_text(result()), as_srt(result()), as_vtt(result())) == ("", "", "WEBVTT\n")


def test_long_segments_become_captions_that_fit() -> None:
    long = segment(10, 40, " ".join(f"word{number}" for number in range(60)))
    pieces = list(captions([long]))
    assert " ".join(piece.text for piece in pieces) == long.text
    assert all(len(piece.text) <= 84 and piece.end_s - piece.start_s <= 7.0 for piece in pieces)
    assert (pieces[0].start_s, round(pieces[-1].end_s, 6)) == (10, 40)
    times = re.findall(r"(\S+) --> (\S+)", as_srt(result(long)))
    assert times == sorted(times)


def test_a_word_that_fits_nowhere_stands_alone() -> None:
    assert [piece.text[:3] for piece in captions([segment(0, 3, f"so {'x' * 200} end")])] == ["so", "xxx", "end"]
