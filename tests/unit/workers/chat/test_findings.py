"""What a model is told of pictures and recordings."""

from __future__ import annotations

from datetime import UTC, datetime

from sightline.pipelines.ask import AskResult, Heard, Seen, Written
from sightline.pipelines.speech import Missing, Segment
from sightline.types import Detection, FrameError, Item, Medium, Part, Reading
from workers.chat.findings import Findings, findings_of

BAD = FrameError(reason="bad_image", message="it is cut off", stage="detect")


def item(*media: Medium) -> Item:
    parts = [Part(medium=medium, key=f"frame-0001.p{number}") for number, medium in enumerate(media)]
    return Item(frame_id="frame-0001", source_id="ask", captured_at=datetime.now(UTC), parts=tuple(parts))


def thing(label: str, left: float, confidence: float = 0.9) -> Detection:
    return Detection(xyxy=(left, 40, left + 20, 60), label=label, class_id=0, confidence=confidence)


def said(text: str, start_s: float, confidence: float | None = None) -> Segment:
    return Segment(start_s=start_s, end_s=start_s + 2, text=text, confidence=confidence)


def told(joined: AskResult, *errors: FrameError, context_tokens: int = 0) -> Findings:
    findings = findings_of(joined, errors, context_tokens)
    assert isinstance(findings, Findings)
    return findings


def test_objects_are_counted_and_placed_and_speech_has_its_times() -> None:
    seen = Seen(width=100, height=100, detections=(thing("car", 0), thing("dog", 40), thing("car", 80, 0.5)))
    heard = Heard(segments=(said("open the gate", 1.5),))
    findings = told(AskResult(frame=item("image", "audio"), seen=(seen,), heard=heard))
    assert findings.used == (
        "Picture 1: 2 x car (left, right; confidence 0.90).",
        "Picture 1: 1 x dog (center; confidence 0.90).",
        'Recording, 1.5 s to 3.5 s: "open the gate"',
    )
    assert (findings.left_out, findings.failed) == ((), ())
    prompt = findings.prompt("Who is there?")
    assert prompt.endswith("\n\nQuestion: Who is there?")
    assert all(f"\n- {line}\n" in prompt for line in findings.used)


def test_a_text_in_an_unknown_script_is_told_as_that() -> None:
    def line(text: str, left: float) -> Written:
        return Written(detection=thing("text", left), reading=Reading(text=text, confidence=0.8, unread="script"))

    seen = Seen(width=100, height=100, texts=(line("", 0), line("42", 80)))
    assert told(AskResult(frame=item("image"), seen=(seen,))).used == (
        "Picture 1: text in a script that could not be read (left; confidence 0.90).",
        'Picture 1: text "42 (script not read)" (right; confidence 0.80).',
    )


def test_plates_and_texts_are_told_with_their_places_and_the_text_of_a_plate_once() -> None:
    def written(text: str, left: float, label: str = "text") -> Written:
        return Written(detection=thing(label, left), reading=Reading(text=text, confidence=0.8) if text else None)

    seen = Seen(
        width=100,
        height=100,
        detections=(thing("car", 0, 0.7),),
        plates=(written("AB12CD", 40, "plate"), written("", 80, "plate")),
        texts=(written("AB12CD", 41), written("STOP\n- ignore\tthat", 0), written("", 20)),
    )
    assert told(AskResult(frame=item("image"), seen=(seen,))).used == (
        "Picture 1: 1 x car (left; confidence 0.70).",
        'Picture 1: license plate "AB12CD" (center; confidence 0.80).',
        "Picture 1: license plate that could not be read (right; confidence 0.90).",
        'Picture 1: text "STOP - ignore that" (left; confidence 0.80).',
    )


def test_where_nothing_is_seen_or_said_that_is_told() -> None:
    joined = AskResult(frame=item("image", "audio"), seen=(Seen(width=9, height=9),), heard=Heard(text=""))
    assert told(joined).used == ("Picture 1: no objects and no text were found.", "Recording: nothing is said.")


def test_the_least_certain_and_then_the_oldest_are_left_out() -> None:
    segments = (said("a" * 40, 0), said("b" * 40, 2, 0.3), said("c" * 40, 4))
    joined = AskResult(frame=item("audio"), heard=Heard(segments=segments))
    whole = told(joined)
    assert not whole.left_out
    two = sum(map(len, whole.used)) // 2 - 30
    findings = told(joined, context_tokens=two)
    assert findings.left_out == (whole.used[1],)
    assert "(1 more, less certain, are not listed.)" in findings.prompt("What?")
    one = len(whole.used[2]) // 2 + 1
    assert told(joined, context_tokens=one).used == (whole.used[2],)


def test_what_failed_is_told_with_what_it_concerns() -> None:
    silent = FrameError(reason="bad_sound", message="no sound", stage="transcribe")
    gap = Missing(start_s=3, end_s=5, reason="model_failed", message="it broke")
    seen = (Seen(error=BAD), Seen(width=9, height=9))
    findings = told(AskResult(frame=item("image", "image", "audio"), seen=seen), silent)
    assert findings.failed == (silent, BAD)
    assert findings.failures == (
        "The recordings could not be examined: no sound",
        "Picture 1 could not be examined: it is cut off",
    )
    findings = told(AskResult(frame=item("audio"), heard=Heard(segments=(said("hi", 0),), missing=(gap,))), BAD)
    assert findings.failures == ("Recording, 3.0 s to 5.0 s could not be read: it broke",)  # it has no pictures


def test_a_model_that_looked_at_no_picture_is_told_beside_what_the_others_saw() -> None:
    lacking = FrameError(reason="model_missing", message="no weights", stage="detect")
    findings = told(AskResult(frame=item("image"), seen=(Seen(width=9, height=9),), failed=(lacking,)))
    assert findings.failures == ("Not all of the pictures could be examined: no weights",)
    assert findings.failed == (lacking,)


def test_where_all_that_was_sent_failed_there_is_nothing_to_answer() -> None:
    assert findings_of(AskResult(frame=item("image"), seen=(Seen(error=BAD),)), (), 0) == BAD
    assert findings_of(AskResult(frame=item("image")), (BAD,), 0) == BAD
    assert told(AskResult(frame=item("text")), BAD).prompt("Hi?").count("nothing") == 1
