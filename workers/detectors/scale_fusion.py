"""Several looks at one picture, each at another scale: what all of them see is surer than what one alone sees.

A network errs differently at each scale: large letters on a wall look like a plate at one, not at the other.
Confidences are averaged over all looks, as in Solovyev et al., Weighted boxes fusion (2021); but the box is that of the
first look that has it: plates cut by averaged boxes were read worse.
"""

from __future__ import annotations

from collections.abc import Sequence

from sightline.types import Detection, Xyxy

#: Each look keeps boxes down to this confidence, so that a doubtful one may count for another look's.
LEAST_CONFIDENCE = 0.02
_SAME = 0.5  #: intersection over union from which boxes of two looks are the same object


def agree(looks: Sequence[Sequence[Detection]], min_confidence: float) -> list[Detection]:
    """What the looks at one picture found together, best first.

    Args:
        looks: the detections of each look, best first, in pixels of the picture; the look with the best boxes first.
        min_confidence: 0..1; of the average, to which a look that has no such box adds nothing.
    """
    groups: list[dict[int, Detection]] = []  # by look
    for number, found in enumerate(looks):
        for one in found:
            group = _nearest(groups, number, one)
            if group is None:
                groups.append({number: one})
            else:
                group[number] = one
    kept: list[Detection] = []
    for group in groups:
        confidence = sum(one.confidence for one in group.values()) / len(looks)
        if confidence >= min_confidence:
            kept.append(group[min(group)].model_copy(update={"confidence": confidence}))
    return sorted(kept, key=lambda one: -one.confidence)


def overlap(one: Xyxy, other: Xyxy) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)


def _nearest(groups: Sequence[dict[int, Detection]], look: int, one: Detection) -> dict[int, Detection] | None:
    """The group that this look has no box in yet and that overlaps most with this one."""
    open_ones = [
        (overlap(group[first].xyxy, one.xyxy), group)
        for group in groups
        if look not in group and group[first := min(group)].class_id == one.class_id
    ]
    best = max(open_ones, key=lambda item: item[0], default=(0.0, {}))
    return best[1] if best[0] >= _SAME else None
