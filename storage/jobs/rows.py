"""How a message becomes rows: pure functions, one dictionary per row, keyed by column."""

from __future__ import annotations

from datetime import UTC, datetime

from sightline.ids import content_id
from sightline.types import Detection, FrameResult, Pipeline, Reading, StageRun
from sightline.wire.messages import Job
from storage.database.bulk import Row
from storage.plates.sightings import Sighting, make_sighting
from storage.plates.text import normalize, read_plate
from storage.tables.times import to_utc

_EPOCH = datetime.fromtimestamp(0, UTC)


def published_at(job: Job) -> datetime:
    """Which publish of the job this is. Never fails: a nonsensical time becomes 1970."""
    try:
        return datetime.fromtimestamp(job.published_at, UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def clean(text: str) -> str:
    """What both databases take as text: no NUL characters, no halves of surrogate pairs."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def letter_id(job_id: str, frame_id: str) -> str:
    """Names a dead letter on the command line: 16 hex digits."""
    return content_id(job_id, frame_id)[:16]


def frame_row(job: Job, result: FrameResult, *, picture_kept: bool, now: datetime) -> Row:
    frame = result.frame
    return {
        "frame_id": frame.frame_id,
        "source_id": frame.source_id,
        "job_id": job.job_id,
        "captured_at": frame.captured_at,
        "time_from": frame.time_from,
        "seq": frame.seq,
        "sequence": frame.sequence,
        "name": clean(frame.name),
        "width": result.width,
        "height": result.height,
        "stages": [run.model_dump() for run in result.stages],
        "picture_kept": picture_kept,
        "published_at": published_at(job),
        "stored_at": now,
    }


def detection_rows(result: FrameResult) -> list[Row]:
    common = _of_frame(result) | _of_stage(result, "detect")
    return [common | _detection_row(index, detection) for index, detection in enumerate(result.detections)]


def reading_rows(result: FrameResult, passage_ids: dict[str, str], spots: dict[str, int | None]) -> list[Row]:
    """`passage_ids` and `spots` by the key of the sighting; readings that are no sighting have none."""
    common = _of_frame(result) | {"sequence": result.frame.sequence} | _of_stage(result, "ocr")
    found: list[Row] = []
    for index, reading in enumerate(result.readings):
        key = f"{result.frame.frame_id}.{index}"
        placed = {"passage_id": passage_ids.get(key), "spot": spots.get(key)}
        found.append(common | _reading_row(index, reading) | placed)
    return found


def dead_letter_row(job: Job, result: FrameResult, *, job_id: str, picture_kept: bool, now: datetime) -> Row:
    """`job_id`: the job in which the frame died first, where this one is a replay of it."""
    assert result.error is not None
    return {
        "frame_id": result.frame.frame_id,
        "job_id": job_id,
        "source_id": result.frame.source_id,
        "captured_at": result.frame.captured_at,
        "pipeline": job.pipeline,
        "lane": job.lane.value,
        "stage": clean(result.error.stage),
        "reason": clean(result.error.reason),
        "message": clean(result.error.message),
        "attempt": job.attempt,
        "times": 1,
        "died_at": now,
        "result": result.model_dump(mode="json"),
        "letter_id": letter_id(job_id, result.frame.frame_id),
        "picture_kept": picture_kept,
    }


def sightings(job: Job, result: FrameResult) -> list[Sighting]:
    """The plate-like readings of a frame of the `plates` pipeline."""
    if job.pipeline != Pipeline.PLATES:
        return []
    found: list[Sighting] = []
    for index, reading in enumerate(result.readings):
        box = _box_of(reading, result)
        label = box.label if box else ""
        plate = read_plate(reading.text, reading.confidence, reading.char_confidences, label=label)
        if plate is not None:
            found.append(
                make_sighting(
                    plate,
                    source_id=result.frame.source_id,
                    seen_at=to_utc(result.frame.captured_at),
                    frame_id=result.frame.frame_id,
                    reading_index=index,
                    confidence=reading.confidence,
                    xyxy=box.xyxy if box else None,
                    size=(result.width, result.height),
                    sharpness=reading.sharpness,
                    sequence=result.frame.sequence,
                )
            )
    return found


def _box_of(reading: Reading, result: FrameResult) -> Detection | None:
    index = reading.detection_index
    return result.detections[index] if index is not None and 0 <= index < len(result.detections) else None


def _of_frame(result: FrameResult) -> Row:
    frame = result.frame
    return {"frame_id": frame.frame_id, "source_id": frame.source_id, "captured_at": frame.captured_at}


def _of_stage(result: FrameResult, stage: str) -> Row:
    """What ran. The last run of the stage counts; nothing is known if there was none."""
    run: StageRun | None = None
    for each in result.stages:
        if each.stage == stage:
            run = each
    if run is None:
        return dict.fromkeys(("model", "model_sha256", "runtime", "worker", "queue_wait_ms", "inference_ms"))
    return {
        "model": clean(run.model),
        "model_sha256": clean(run.model_sha256),
        "runtime": clean(run.runtime),
        "worker": clean(run.worker),
        "queue_wait_ms": run.queue_wait_ms,
        "inference_ms": run.inference_ms,
    }


def _detection_row(index: int, detection: Detection) -> Row:
    x1, y1, x2, y2 = detection.xyxy
    return {
        "detection_index": index,
        "label": clean(detection.label),
        "class_id": detection.class_id,
        "confidence": detection.confidence,
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "corners": detection.corners,
        "track_id": detection.track_id,
    }


def _reading_row(index: int, reading: Reading) -> Row:
    return {
        "reading_index": index,
        "text": clean(reading.text),
        "normalized": normalize(reading.text),
        "confidence": reading.confidence,
        "char_confidences": reading.char_confidences,
        "alternatives": reading.alternatives or None,
        "country": reading.country and clean(reading.country),
        "country_confidence": reading.country_confidence,
        "detection_index": reading.detection_index,
        "sharpness": reading.sharpness,
    }
