"""Why a frame has the plate it has, or none: a verdict for every box, in the words of the stages. Pure: no SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field

from sightline.types import Detection, FrameError, FrameResult, Item, ItemResult, Reading, StageRun, Value
from storage.plates.text import plate_chars, refusal

#: A third of the 48 px that PP-OCR scales every crop to.
SMALL_PX: Final = 16
#: A text detector's box so many times as long as high holds several characters. Nothing read of it says something.
_LINE_LENGTH: Final = 2.0


class Verdict(StrEnum):
    """What became of one box. The first three have a plate, the others say where it was lost."""

    CHOSEN = "chosen"  #: the plate of the frame: no other one is surer
    PLATE = "plate"  #: a plate, but another one of this frame is surer
    VOTED_OUT = "voted_out"  #: read as a plate, but the passage voted for another text
    SPLIT = "split"  #: with the text beside it this would be a plate
    NOT_A_PLATE = "not_a_plate"  #: the text has not the form of a plate
    LOW_CONFIDENCE = "low_confidence"  #: read, but not surely enough
    TOO_SMALL = "too_small"  #: not read, and too small to be
    UNREAD = "unread"  #: nothing was read
    WEAK_BOX = "weak_box"  #: the detector was not sure enough, so nobody tried to read it


class PassageRef(NamedTuple):
    """The passage that a reading belongs to, as it stands now."""

    passage_id: str
    text: str
    confidence: float
    reading_count: int
    corrected: str | None = None  #: what somebody says its plate is


class Candidate(Value):
    """One box and its fate. `height_px` is that of the text: of the box made level."""

    index: int
    detection: Detection
    height_px: float
    reading: Reading | None
    plate: str | None  #: the reading reduced to A-Z and 0-9, where it has the form of a plate
    verdict: Verdict
    why: str  #: a sentence with the numbers that decided
    passage_id: str | None = None
    passage_text: str | None = None
    passage_confidence: float | None = None


def _is_none(value: object) -> bool:
    return value is None


class Explanation(Value):
    """A frame's plate and how it came about. Candidates are in the order of the detections.

    Of an item that is no picture it has what was found.
    """

    frame: Item
    width: int
    height: int
    plate: str | None
    why: str
    candidates: tuple[Candidate, ...]
    stages: tuple[StageRun, ...] = ()
    error: FrameError | None = None
    found: Annotated[dict[str, Any] | None, Field(exclude_if=_is_none)] = None

    @property
    def chosen(self) -> Candidate | None:
        return next((one for one in self.candidates if one.verdict is Verdict.CHOSEN), None)


def explain_item(result: ItemResult) -> Explanation:
    """What came of an item that is no picture."""
    return Explanation(
        frame=result.frame,
        width=0,
        height=0,
        plate=None,
        why=_how_it_ended(result) or (f"found: {result.summary}" if result.summary else "nothing was found"),
        candidates=(),
        stages=result.stages,
        error=result.error,
        found=result.found,
    )


def explain(
    result: FrameResult,
    passages: Mapping[int, PassageRef],
    *,
    min_confidence: float | None = None,
    min_reading_confidence: float | None = None,
    doubtful: Collection[int] = (),
) -> Explanation:
    """Judge every box of a frame. `passages`: index of the reading -> its passage.

    Omit the limits for stored frames: the worker applied them. Give them for a result that still has everything below
    them; they decide what would have been left out. `doubtful`: detections of which neither the detector nor the reader
    is sure.
    """
    readings = {each.detection_index: index for index, each in enumerate(result.readings)}
    judged: list[Candidate] = []
    for index, detection in enumerate(result.detections):
        at = readings.get(index)
        reading = None if at is None else result.readings[at]
        passage = None if at is None else passages.get(at)
        weak = min_confidence is not None and detection.confidence < min_confidence
        judged.append(
            _weak(index, detection, min_confidence or 0)
            if weak
            else _unsure(index, detection, reading)
            if index in doubtful
            else _judge(index, detection, reading, passage, min_reading_confidence)
        )
    joined = [_split(one, judged) for one in judged]
    candidates = _choose(joined)
    plate, why = _outcome(result, candidates)
    if result.outside:
        why = f"{why}; {result.outside} more found outside of the camera's zones, and left out"
    return Explanation(
        frame=result.frame,
        width=result.width,
        height=result.height,
        plate=plate,
        why=why,
        candidates=tuple(candidates),
        stages=result.stages,
        error=result.error,
    )


def _weak(index: int, detection: Detection, limit: float) -> Candidate:
    return Candidate(
        index=index,
        detection=detection,
        height_px=_height_px(detection),
        reading=None,
        plate=None,
        verdict=Verdict.WEAK_BOX,
        why=f"detector {detection.confidence:.2f}, below {limit:g}",
    )


def _unsure(index: int, detection: Detection, reading: Reading | None) -> Candidate:
    read = "nothing was read" if reading is None else f"the least sure character has {_least(reading):.2f}"
    return Candidate(
        index=index,
        detection=detection,
        height_px=_height_px(detection),
        reading=reading,
        plate=None,
        verdict=Verdict.UNREAD if reading is None else Verdict.LOW_CONFIDENCE,
        why=f"detector {detection.confidence:.2f}, and {read}: on a photo one of the two has to be sure",
    )


def _least(reading: Reading) -> float:
    return min(reading.char_confidences, default=reading.confidence)


def _judge(
    index: int, detection: Detection, reading: Reading | None, passage: PassageRef | None, limit: float | None
) -> Candidate:
    height_px = _height_px(detection)
    plate: str | None = None
    if reading is not None and reading.unread:
        verdict, why = Verdict.UNREAD, "a line of text in a script that the model does not read"
    elif reading is None or not reading.text:
        verdict, why = Verdict.UNREAD, "nothing was read" + (" surely enough to be stored" if limit is None else "")
        if height_px < SMALL_PX:
            verdict, why = Verdict.TOO_SMALL, f"{height_px:.0f} px high, {why}"
        elif detection.label == "text" and _length_px(detection) >= _LINE_LENGTH * height_px:
            why = f"a line of text, but {why}: it cannot be made out, or its script is none that the model reads"
    elif limit is not None and reading.confidence < limit:
        verdict, why = Verdict.LOW_CONFIDENCE, f"reading {reading.confidence:.2f}, below {limit:g}"
    elif refused := refusal(reading.text, reading.confidence, label=detection.label):
        verdict, why = Verdict.NOT_A_PLATE, refused
    else:
        plate = plate_chars(reading.text)
        verdict, why = Verdict.PLATE, f"a plate, read with {reading.confidence:.2f}"
        if passage is not None and passage.text != plate:
            verdict, why = Verdict.VOTED_OUT, f"{passage.reading_count} readings of this passage voted {passage.text}"
        if passage is not None and passage.corrected:
            why += f"; somebody corrected the passage to {passage.corrected}"
    return Candidate(
        index=index,
        detection=detection,
        height_px=height_px,
        reading=reading,
        plate=plate,
        verdict=verdict,
        why=why,
        passage_id=passage and passage.passage_id,
        passage_text=passage and passage.text,
        passage_confidence=passage and passage.confidence,
    )


def _split(one: Candidate, all_of_them: Sequence[Candidate]) -> Candidate:
    """A refused text that its neighbor on the same line would complete to a plate."""
    if one.verdict is not Verdict.NOT_A_PLATE or one.reading is None:
        return one
    for other in all_of_them:
        if other is one or other.reading is None or not _beside(one.detection, other.detection):
            continue
        left, right = sorted((one, other), key=lambda each: each.detection.xyxy[0])
        assert left.reading is not None
        assert right.reading is not None
        whole = left.reading.text + right.reading.text
        if refusal(whole) is None:
            why = f"with {other.reading.text!r} beside it this would be {plate_chars(whole)}"
            return one.model_copy(update={"verdict": Verdict.SPLIT, "why": f"{one.why}; {why}"})
    return one


def _beside(one: Detection, other: Detection) -> bool:
    """On one line, of about one height, no further apart than they are high."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = one.xyxy, other.xyxy
    low, high = sorted((ay2 - ay1, by2 - by1))
    return (
        low * 2 >= high
        and min(ay2, by2) - max(ay1, by1) >= low / 2
        and -low / 2 <= max(ax1, bx1) - min(ax2, bx2) <= low
    )


def _choose(candidates: list[Candidate]) -> list[Candidate]:
    """The surest passage of the frame is its plate, and of its readings here the surest one that agrees."""
    plates = [one for one in candidates if one.passage_confidence is not None]
    if not plates:
        return candidates
    best = max(plates, key=_sureness)
    return [one.model_copy(update=_chosen(one, len(plates))) if one is best else one for one in candidates]


def _sureness(one: Candidate) -> tuple[float, bool, float, int]:
    assert one.reading is not None
    return (one.passage_confidence or 0, one.verdict is Verdict.PLATE, one.reading.confidence, -one.index)


def _chosen(one: Candidate, plates: int) -> dict[str, object]:
    if one.verdict is Verdict.VOTED_OUT:
        return {}  # what the frame shows is its passage's text, which no reading of this frame has
    why = "the only plate of the frame" if plates == 1 else f"the surest of {plates} plates"
    return {"verdict": Verdict.CHOSEN, "why": f"{one.why}; {why}"}


def _outcome(result: FrameResult, candidates: Sequence[Candidate]) -> tuple[str | None, str]:
    """The frame's plate, and the frame in one sentence."""
    if ended := _how_it_ended(result):
        return None, ended
    plates = [one for one in candidates if one.passage_confidence is not None]
    if plates:
        best = max(plates, key=lambda one: (one.verdict is Verdict.CHOSEN, _sureness(one)))
        return best.passage_text, f"plate {best.passage_text}, from box {best.index}"
    if not candidates:
        return None, "no plate: the detector found nothing"
    lost = ", ".join(f"box {one.index} {one.verdict.replace('_', ' ')}" for one in candidates[:8])
    more = f" and {len(candidates) - 8} more" if len(candidates) > 8 else ""
    return None, f"no plate: {lost}{more}"


def _how_it_ended(result: ItemResult) -> str:
    """Where it came to no rows; else empty."""
    if result.error:
        return f"dead, {result.error.reason} in stage {result.error.stage}: {result.error.message}"
    return f"dropped by the rule {result.dropped!r}" if result.dropped else ""


def _height_px(detection: Detection) -> float:
    """How high the text stands: the shorter side of a tilted box, where its corners are known."""
    return min(_sides_px(detection)) if detection.corners else detection.xyxy[3] - detection.xyxy[1]


def _length_px(detection: Detection) -> float:
    return max(_sides_px(detection))


def _sides_px(detection: Detection) -> tuple[float, float]:
    if detection.corners is None:
        x1, y1, x2, y2 = detection.xyxy
        return x2 - x1, y2 - y1
    top_left, top_right, bottom_right, bottom_left = detection.corners
    sides = ((top_left, bottom_left), (top_right, bottom_right), (top_left, top_right), (bottom_left, bottom_right))
    left, right, top, bottom = (((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5 for (ax, ay), (bx, by) in sides)
    return max(left, right), max(top, bottom)
