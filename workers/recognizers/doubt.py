"""Boxes on photos of which neither the detector nor the reader is sure: badges, lettering and show plates are such.

One of the two has to be sure. A film has the same plate in other frames, and its readings vote; a photo stands alone.
"""

from __future__ import annotations

from typing import Final

from sightline.types import Detection, FrameResult, Reading

#: What is read in a doubtful box counts if its least sure character has this: of a text that has the form of some
#: country's plates, and of any other.
_LEAST: Final = 0.5
_LEAST_WITHOUT_FORM: Final = 0.7


def doubtful_ones(result: FrameResult, sure_box: float | None) -> frozenset[int]:
    """Which detections nobody is sure of.

    `sure_box` is the confidence from which a box is a plate whatever is read in it; None: all boxes are sure.
    """
    if sure_box is None or result.frame.sequence is not None:
        return frozenset()
    readings = {one.detection_index: one for one in result.readings}
    return frozenset(
        index for index, box in enumerate(result.detections) if is_doubtful(box, readings.get(index), sure_box)
    )


def without_doubtful(result: FrameResult, sure_box: float | None) -> FrameResult:
    """The result without them, and without what was read in them."""
    doubtful = doubtful_ones(result, sure_box)
    if not doubtful:
        return result
    places = [index for index in range(len(result.detections)) if index not in doubtful]
    now = {before: index for index, before in enumerate(places)}
    readings = [
        one if one.detection_index is None else one.model_copy(update={"detection_index": now[one.detection_index]})
        for one in result.readings
        if one.detection_index not in doubtful
    ]
    kept = tuple(result.detections[index] for index in places)
    return result.model_copy(update={"detections": kept, "readings": tuple(readings)})


def is_doubtful(box: Detection, reading: Reading | None, sure_box: float) -> bool:
    if box.confidence >= sure_box:
        return False
    if reading is None:
        return True
    least = _LEAST_WITHOUT_FORM if reading.country is None else _LEAST
    return min(reading.char_confidences, default=reading.confidence) < least
