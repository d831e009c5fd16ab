"""A transcript as others read it: plain text, SubRip (SRT), WebVTT, JSON. Pure functions of a result."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sightline.pipelines.speech import Segment, TranscribeResult, Word

#: What fits on a screen in two lines, and may stand there for so long.
_CHARS: Final = 84
_SECONDS: Final = 7.0


class Caption(NamedTuple):
    start_s: float
    end_s: float
    text: str


def captions(segments: Sequence[Segment]) -> Iterator[Caption]:
    """Segments in pieces that can be read on a screen; those whose words have no times stay as they are."""
    for segment in segments:
        if not segment.words:
            yield Caption(segment.start_s, segment.end_s, " ".join(segment.text.split()))
            continue
        words = list[Word]()
        for word in segment.words:
            if words and (_length([*words, word]) > _CHARS or word.end_s - words[0].start_s > _SECONDS):
                yield _caption(words)
                words = []
            words.append(word)
        yield _caption(words)


def as_text(result: TranscribeResult) -> str:
    """A line a segment."""
    return "".join(f"{segment.text}\n" for segment in result.segments)


def as_srt(result: TranscribeResult) -> str:
    return "\n".join(
        f"{number}\n{_clock(one.start_s, ',')} --> {_clock(one.end_s, ',')}\n{_no_arrow(one.text)}\n"
        for number, one in enumerate(captions(result.segments), 1)
    )


def as_vtt(result: TranscribeResult) -> str:
    cues = (
        f"\n{_clock(one.start_s, '.')} --> {_clock(one.end_s, '.')}\n{html.escape(one.text, quote=False)}\n"
        for one in captions(result.segments)
    )
    return "".join(["WEBVTT\n", *cues])


def as_json(result: TranscribeResult) -> str:
    return json.dumps(result.found, ensure_ascii=False, indent=2) + "\n"


#: By name, which is also the suffix of such files.
FORMS: Final[Mapping[str, Callable[[TranscribeResult], str]]] = {
    "txt": as_text,
    "srt": as_srt,
    "vtt": as_vtt,
    "json": as_json,
}


def _caption(words: Sequence[Word]) -> Caption:
    return Caption(words[0].start_s, words[-1].end_s, " ".join(word.text.strip() for word in words))


def _length(words: Sequence[Word]) -> int:
    return sum(len(word.text) + 1 for word in words) - 1


def _no_arrow(text: str) -> str:
    """An arrow in a text would be taken for the times of the next one."""
    return text.replace("-->", "->")


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}{point}{ms % 1000:03d}"
