"""Events of passages as Frigate publishes them over MQTT (docs.frigate.video/integrations/mqtt)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_TYPES: Final = {"passage.new": "new", "passage.update": "update", "passage.final": "end"}
#: Passages whose last state is remembered, for `before`.
_KNOWN: Final = 1000


class FrigateEvents:
    """Tells each passage as a tracked car whose plate was read. Remembers what it told last of each."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def of(self, payload: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """By topic under the prefix; nothing for what is no passage."""
        kind = _TYPES.get(payload["type"])
        if kind is None:
            return {}
        after = _tracked(payload["data"], has_ended=kind == "end")
        before = self._told.pop(after["id"], after)
        self._told[after["id"]] = after
        while len(self._told) > _KNOWN:
            self._told.popitem(last=False)
        return {
            "events": {"type": kind, "before": before, "after": after},
            "tracked_object_update": {
                "type": "lpr",
                "id": after["id"],
                "name": after["sub_label"][0] if after["sub_label"] else None,
                "plate": after["recognized_license_plate"],
                "score": after["recognized_license_plate_score"],
                "camera": after["camera"],
                "timestamp": after["frame_time"],
            },
        }


def _tracked(data: Mapping[str, Any], *, has_ended: bool) -> dict[str, Any]:
    started_at, seen_at = (datetime.fromisoformat(data[name]).timestamp() for name in ("first_seen", "last_seen"))
    left, top, right, bottom = box = [round(value) for value in data["best_xyxy"] or (0, 0, 0, 0)]
    width, height, match = right - left, bottom - top, data["match"]
    score = data["confidence"]
    zones = list(data.get("zones", ()))  # a passage of before there were zones says nothing of them
    return {
        "id": data["passage_id"],
        "camera": data["source_id"],
        "frame_time": seen_at,
        "snapshot": {
            "frame_time": seen_at,
            "box": box,
            "area": width * height,
            "region": box,
            "score": score,
            "attributes": [],
        },
        "label": "car",
        "sub_label": [match["matched"], score] if match else None,
        "top_score": score,
        "false_positive": False,
        "start_time": started_at,
        "end_time": seen_at if has_ended else None,
        "score": score,
        "box": box,
        "area": width * height,
        "ratio": round(width / height, 6) if height else 0.0,
        "region": box,
        "current_zones": zones,
        "entered_zones": zones,
        "has_snapshot": False,
        "has_clip": False,
        "active": not has_ended,
        "stationary": False,
        "motionless_count": 0,
        "position_changes": 0,
        "attributes": {},
        "current_attributes": [],
        "recognized_license_plate": data["text"],
        "recognized_license_plate_score": score,
    }
