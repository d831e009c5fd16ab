"""Events of passages as Plate Recognizer's Stream posts them (guides.platerecognizer.com/docs/stream/results)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

#: What is not known here is there all the same, and empty: receivers read it without asking.
_NO_VEHICLE: Final = {"score": 0.0, "type": "", "box": {"xmin": 0, "ymin": 0, "xmax": 0, "ymax": 0}}


def recognition(payload: Mapping[str, Any], target: str) -> dict[str, Any]:
    """The body, for an event of a passage; for any other event one without results, named after it.

    `dscore` is of the plate's detection there, and repeats `score` here: passages do not keep it.
    """
    data = payload["data"]
    is_passage = "passage_id" in data
    at = datetime.fromisoformat(data["last_seen"] if is_passage else payload["timestamp"])
    camera_id, filename = data.get("source_id", ""), f"{data.get('best_frame_id', 'none')}.jpg"
    return {
        "hook": {
            "target": target,
            "id": camera_id,
            "event": "recognition" if is_passage else payload["type"],
            "filename": filename,
        },
        "data": {
            "camera_id": camera_id,
            "filename": filename,
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "timestamp_local": at.isoformat(sep=" ", timespec="microseconds"),
            "results": [_result(data)] if is_passage else [],
        },
    }


def _result(data: Mapping[str, Any]) -> dict[str, Any]:
    plate, score = data["text"].lower(), round(data["confidence"], 3)
    left, top, right, bottom = (round(value) for value in data["best_xyxy"] or (0, 0, 0, 0))
    return {
        "box": {"xmin": left, "ymin": top, "xmax": right, "ymax": bottom},
        "plate": plate,
        "region": {"code": data["country"] or "", "score": round(data["country_confidence"] or 0.0, 3)},
        "score": score,
        "candidates": [{"score": score, "plate": plate}],
        "dscore": score,
        "vehicle": _NO_VEHICLE,
        "direction": "" if data["direction"] == "unknown" else data["direction"],
        "source_url": "",
        "position_sec": 0.0,
    }
