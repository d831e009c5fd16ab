"""What a tracker makes of the same readings: boxes that overlap from frame to frame are a track (as in SORT, Bewley
2016, with a box that goes on as it went), and its surest reading is the plate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.accuracy.metrics import iou
from benchmarks.passages.readings import ReadClip, ReadFrame
from benchmarks.passages.rules import Key, Passage
from sightline.settings import Settings
from sightline.types import Detection, Reading, Xyxy
from storage.plates.text import plate_chars, read_plate

_LEAST_IOU = 0.3
_LONGEST_GAP_S = 1.0


@dataclass
class _Track:
    boxes: list[tuple[float, Xyxy]]
    readings: dict[Key, tuple[float, str]] = field(default_factory=dict[Key, tuple[float, str]])

    def expected(self, time_s: float) -> Xyxy:
        """Where it is if it went on as between its last two boxes."""
        last_s, box = self.boxes[-1]
        if len(self.boxes) == 1:
            return box
        before_s, before = self.boxes[-2]
        share = (time_s - last_s) / (last_s - before_s)
        x1, y1, x2, y2 = (b + (b - a) * share for a, b in zip(before, box, strict=True))
        return x1, y1, x2, y2


def tracked(clips: Sequence[ReadClip], _settings: Settings) -> list[list[Passage]]:
    """Photos are no film: each of their boxes is a track."""
    return [[_passage(track) for track in _tracks(clip)] for clip in clips]


def _tracks(clip: ReadClip) -> list[_Track]:
    tracks: list[_Track] = []
    for frame in clip.frames:
        free = [track for track in tracks if frame.time_s - track.boxes[-1][0] <= _LONGEST_GAP_S]
        free = [] if clip.kind == "photos" else free
        plates = list(_plates(frame))
        pairs = sorted(
            (-iou(track.expected(frame.time_s), box.xyxy), at, of)
            for of, track in enumerate(free)
            for at, (_, _, box) in enumerate(plates)
        )
        taken: dict[int, int] = {}
        for cost, at, of in pairs:
            if -cost >= _LEAST_IOU and at not in taken and of not in taken.values():
                taken[at] = of
        for at, (key, reading, box) in enumerate(plates):
            if at in taken:
                track = free[taken[at]]
                track.boxes.append((frame.time_s, box.xyxy))
            else:
                track = _Track([(frame.time_s, box.xyxy)])
                tracks.append(track)
            track.readings[key] = (reading.confidence, plate_chars(reading.text))
    return tracks


def _plates(frame: ReadFrame) -> Iterator[tuple[Key, Reading, Detection]]:
    result = frame.result
    for index, reading in enumerate(result.readings):
        if reading.detection_index is not None:
            box = result.detections[reading.detection_index]
            if read_plate(reading.text, reading.confidence, label=box.label):
                yield (result.frame.frame_id, index), reading, box


def _passage(track: _Track) -> Passage:
    confidence, text = max(track.readings.values())
    return Passage(text, confidence, frozenset(track.readings))
