"""What was seen and heard, as lines that a language model can be told, and the question put to it with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sightline.pipelines.ask import AskResult, Seen, Written
from sightline.types import Detection, FrameError

#: What is lost where a stage failed.
_OF_STAGES: Final = {
    "detect": ("image", "The pictures"),
    "ocr": ("image", "The pictures"),
    "transcribe": ("audio", "The recordings"),
}
#: Characters of findings for each token that fits the model: with three to four a token, they take about half.
_CHARS_A_TOKEN: Final = 2
_USUAL_CONTEXT: Final = 2048


@dataclass(frozen=True)
class Findings:
    """`used` and `left_out` together are all lines, each in its order."""

    used: tuple[str, ...]
    left_out: tuple[str, ...]
    failed: tuple[FrameError, ...]
    failures: tuple[str, ...]  #: the same as lines

    def prompt(self, question: str, *, shown: int = 0) -> str:
        """What the model is asked, beside so many pictures that it is shown."""
        lines = [*self.used, *self.failures]
        if self.left_out:
            lines.append(f"({len(self.left_out)} more, less certain, are not listed.)")
        told = "\n".join(f"- {line}" for line in lines) or "- nothing"
        by = "that and the pictures" if shown else "that alone"
        return f"Found in what was sent with the question:\n{told}\n\nAnswer by {by}.\n\nQuestion: {question}"


def findings_of(
    joined: AskResult, errors: Sequence[FrameError], context_tokens: int, *, shown: int = 0
) -> Findings | FrameError:
    """What there is to tell of an item within the room there is; an error where all that was sent with it failed.

    Args:
        joined: what the stages before found.
        errors: of those of them that failed as a whole.
        context_tokens: that the model can be asked; 0: nobody says it.
        shown: so many of the pictures the model is shown.
    """
    failures = [*_failures(joined, errors), *((error, _in_part(error)) for error in joined.failed)]
    failed = tuple(error for error, _ in failures)
    if failed and not shown and not joined.heard and all(seen.error for seen in joined.seen):
        return failed[0]
    lines = [*_lines(joined)]
    room = _CHARS_A_TOKEN * (context_tokens or _USUAL_CONTEXT) - sum(len(line) for _, line in failures)
    kept = _fitting(lines, room)
    return Findings(
        used=tuple(line for number, (_, line) in enumerate(lines) if number in kept),
        left_out=tuple(line for number, (_, line) in enumerate(lines) if number not in kept),
        failed=failed,
        failures=tuple(line for _, line in failures),
    )


def _lines(joined: AskResult) -> Iterator[tuple[float, str]]:
    """How certain each is, and the line."""
    for number, seen in enumerate(joined.seen, 1):
        for certain, what in _on_picture(seen) if not seen.error else ():
            yield certain, f"Picture {number}: {what}."
    if joined.heard is None:
        return
    if not joined.heard.segments:
        yield 1.0, "Recording: nothing is said."
    for segment in joined.heard.segments:
        certain = 1.0 if segment.confidence is None else segment.confidence
        yield certain, f'Recording, {segment.start_s:.1f} s to {segment.end_s:.1f} s: "{segment.text}"'


def _on_picture(seen: Seen) -> Iterator[tuple[float, str]]:
    if not (seen.detections or seen.plates or seen.texts):
        yield 1.0, "no objects and no text were found"
    for label in dict.fromkeys(found.label for found in seen.detections):
        mine = [found for found in seen.detections if found.label == label]
        places = ", ".join(_place(found, seen) for found in mine)
        best = max(found.confidence for found in mine)
        yield best, f"{len(mine)} x {label} ({places}; confidence {best:.2f})"
    for plate in seen.plates:
        yield _certain(plate), f"license plate {_said(plate)} ({_place(plate.detection, seen)}; {_sure(plate)})"
    for text in seen.texts:
        if not any(_is_on(text.detection, plate.detection) for plate in seen.plates) and text.reading:
            yield _certain(text), f"text {_said(text)} ({_place(text.detection, seen)}; {_sure(text)})"


def _failures(joined: AskResult, errors: Sequence[FrameError]) -> Iterator[tuple[FrameError, str]]:
    for error in errors:
        medium, what = _OF_STAGES.get(error.stage, (None, "A part"))
        if medium is None or medium in joined.frame.media:  # else there was nothing to examine
            yield error, f"{what} could not be examined: {error.message:.200}"
    for number, seen in enumerate(joined.seen, 1):
        if seen.error:
            yield seen.error, f"Picture {number} could not be examined: {seen.error.message:.200}"
    for gap in joined.heard.missing if joined.heard else ():
        error = FrameError(reason=gap.reason, message=gap.message[:500], stage="transcribe")
        yield error, f"Recording, {gap.start_s:.1f} s to {gap.end_s:.1f} s could not be read: {gap.message:.200}"


def _fitting(lines: Sequence[tuple[float, str]], room: int) -> set[int]:
    """The numbers of those that fit: the least certain ones are left out, of equal ones the oldest."""
    kept = set(range(len(lines)))
    length = sum(len(line) for _, line in lines)
    for number in sorted(kept, key=lambda number: (lines[number][0], number)):
        if length <= room:
            break
        kept.remove(number)
        length -= len(lines[number][1])
    return kept


def _place(found: Detection, seen: Seen) -> str:
    """Where the middle of an object is, as people say it."""
    left, top, right, bottom = found.xyxy
    across = _third((left + right) / 2 / seen.width, "left", "right")
    down = _third((top + bottom) / 2 / seen.height, "top", "bottom")
    return " ".join(word for word in (down, across) if word) or "center"


def _third(share: float, first: str, last: str) -> str:
    return first if share < 1 / 3 else last if share > 2 / 3 else ""


def _certain(one: Written) -> float:
    return one.reading.confidence if one.reading and one.reading.text else one.detection.confidence


def _sure(one: Written) -> str:
    return f"confidence {_certain(one):.2f}"


def _said(one: Written) -> str:
    """What is written there, on one line: it comes from others."""
    if one.reading is None:
        return "that could not be read"
    if one.reading.unread and not one.reading.text:
        return "in a script that could not be read"
    return f'"{" ".join(one.reading.words.split())}"'


def _is_on(text: Detection, plate: Detection) -> bool:
    """Whether a text is that of a plate, which is told already."""
    left, top, right, bottom = plate.xyxy
    x, y = (text.xyxy[0] + text.xyxy[2]) / 2, (text.xyxy[1] + text.xyxy[3]) / 2
    return left <= x <= right and top <= y <= bottom


def _in_part(error: FrameError) -> str:
    return f"Not all of the pictures could be examined: {error.message:.200}"
