"""One photo, what the pipeline made of it, and why it is a miss."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.accuracy.metrics import differences, edits, iou, overlap
from benchmarks.accuracy.truth import Photo
from sightline.types import Detection, StageRun
from storage.plates.text import plate_chars
from storage.results.explanations import SMALL_PX, Candidate, Explanation, Verdict

#: From here on a box is on the plate, as in most of the literature.
_ON_PLATE_IOU = 0.5


@dataclass(frozen=True)
class Judged:
    """`plate` is the one a user is shown first: the surest of the photo; "" for none."""

    photo: Photo
    explanation: Explanation
    plate: str
    confidence: float
    box: Detection | None  #: where that plate was read
    best_iou: float  #: of the box nearest to the truth
    found_first: bool  #: the surest box is on the plate
    found: bool  #: some box is
    exact_raw: bool
    exact: bool  #: with the corrected label, signs that are drawn alike taken as equal
    among: bool  #: the true plate is among all readings of the photo, whatever their form
    errors: int  #: characters to change, corrected
    false_boxes: int  #: boxes that touch no plate
    partial_boxes: int  #: boxes that touch the plate, but are not on it
    known_boxes: int  #: boxes on real plates without a label
    reason: str  #: of a miss; empty for an exact plate
    detail: str
    submitted: bool | None = None  #: its plate is a passage of the whole folder; None: the folder was not submitted

    @property
    def detect_ms(self) -> float | None:
        return self._ms("detect")

    @property
    def recognize_crop_ms(self) -> float | None:
        """Of one crop."""
        total = self._ms("ocr")
        return None if total is None else total / len(self.explanation.candidates)

    def _ms(self, stage: str) -> float | None:
        run: StageRun | None = next((run for run in self.explanation.stages if run.stage == stage), None)
        return run and run.inference_ms


def judge(photo: Photo, explanation: Explanation) -> Judged:
    """Compare what the pipeline says with the truth."""
    candidates = explanation.candidates
    plate, shown = _surest_plate(photo, explanation)
    overlaps = [iou(one.detection.xyxy, photo.xyxy) for one in candidates]
    surest = max(range(len(candidates)), key=lambda index: candidates[index].detection.confidence, default=None)
    kinds = [_kind(one.detection, photo) for one in candidates]
    true, read = photo.canonical(photo.corrected), photo.canonical(plate)
    reason, detail = ("", "") if read == true else _miss(photo, explanation)
    return Judged(
        photo=photo,
        explanation=explanation,
        plate=plate,
        confidence=(shown and shown.passage_confidence) or 0.0,
        box=shown and shown.detection,
        best_iou=max(overlaps, default=0.0),
        found_first=surest is not None and overlaps[surest] >= _ON_PLATE_IOU,
        found=max(overlaps, default=0.0) >= _ON_PLATE_IOU,
        exact_raw=plate == photo.label,
        exact=read == true,
        among=any(photo.canonical(_read(one)) == true for one in candidates),
        errors=edits(read, true),
        false_boxes=kinds.count("false"),
        partial_boxes=kinds.count("partial"),
        known_boxes=kinds.count("known"),
        reason=reason,
        detail=detail,
    )


def _surest_plate(photo: Photo, explanation: Explanation) -> tuple[str, Candidate | None]:
    """The plate of the photo and a box of it. Real plates without a label are passed over: another one is asked for."""
    plate = explanation.plate or ""
    shown = next((one for one in explanation.candidates if one.passage_text == plate), None) if plate else None
    shown = explanation.chosen or shown
    if shown is None or _kind(shown.detection, photo) != "known":
        return plate, shown
    others = [one for one in explanation.candidates if one.passage_text and _kind(one.detection, photo) != "known"]
    shown = max(others, key=lambda one: one.passage_confidence or 0, default=None)
    return (shown and shown.passage_text) or "", shown


def _kind(detection: Detection, photo: Photo) -> str:
    x1, y1, x2, y2 = detection.xyxy
    if iou(detection.xyxy, photo.xyxy) >= _ON_PLATE_IOU:
        return "right"
    if overlap(detection.xyxy, photo.xyxy) > 0:
        return "partial"
    half = (x2 - x1) * (y2 - y1) / 2
    return "known" if any(overlap(detection.xyxy, other) > half for other in photo.unlabeled) else "false"


def _text(one: Candidate) -> str:
    return one.reading.text if one.reading else ""


def _read(one: Candidate) -> str:
    return plate_chars(_text(one))


def _miss(photo: Photo, explanation: Explanation) -> tuple[str, str]:
    """Where the plate was lost: the first stage that has to answer for it."""
    candidates, true = explanation.candidates, photo.canonical(photo.corrected)
    said = [one for one in candidates if photo.canonical(_read(one)) == true]
    if said:
        if said[0].plate is None:
            return "format", f"{_text(said[0])!r} refused: {said[0].why}"
        return "another first", f"read right with {said[0].passage_confidence or 0:.2f}; {explanation.plate} is surer"
    here = [one for one in candidates if overlap(one.detection.xyxy, photo.xyxy) > 0]
    if not here:
        return ("too small" if photo.height_px < SMALL_PX else "not detected"), f"plate {photo.height_px:.0f} px high"
    in_line = "".join(_read(one) for one in sorted(here, key=lambda one: one.detection.xyxy[0]))
    if photo.canonical(in_line) == true:
        return "split", " + ".join(_read(one) for one in here if _read(one))
    best = max(here, key=lambda one: (iou(one.detection.xyxy, photo.xyxy), one.detection.confidence))
    near = min(here, key=lambda one: (edits(photo.canonical(_read(one)), true), one.index))
    if not _read(near):
        if best.verdict is Verdict.TOO_SMALL:
            return "too small", best.why
        return "not read", f"{best.height_px:.0f} px high, {best.why}"
    text = photo.canonical(_read(near))
    wrong = differences(text, true)
    where = iou(near.detection.xyxy, photo.xyxy)
    # A line of text fills less than half of a tall plate: only what is lost at the ends speaks for the box.
    if where < _ON_PLATE_IOU and text in true and near.detection.corners is None:
        return "box off", f"IoU {where:.2f}: {wrong}"
    small = " (small)" if photo.height_px < SMALL_PX else ""
    return "misread", f"{wrong}{small}"
