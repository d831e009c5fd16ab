"""Several looks at one picture, each at another scale: what all of them see is surer than what one alone sees.

A network errs differently at each scale: large letters on a wall look like a plate at one, not at the other.
Confidences are averaged over all looks, as in Solovyev et al., Weighted boxes fusion (2021), but the surest look counts
more: a plate that is too small or too large for the others is there all the same. And the box is that of the first look
that has it: plates cut by averaged boxes were read worse.
"""

from __future__ import annotations

from collections.abc import Sequence

from sightline.types import Detection, Xyxy

#: Each look keeps boxes down to this confidence, so that a doubtful one may count for another look's.
LEAST_CONFIDENCE = 0.02
_SAME = 0.5  #: intersection over union from which boxes of two looks are the same object
#: A box is the same also if so much of it is in the other one, which is not so many times larger: large plates fall
#: into pieces when they are looked at closely.
_WITHIN, _LARGER = 0.8, 6.0
_SUREST_COUNTS = 0.6  #: the other looks share the rest
#: In a look of its own at pictures without any: from this confidence on, and this share of the picture's width.
ALONE_CONFIDENCE, _ALONE_WIDTH = 0.5, 0.25


def agree(looks: Sequence[Sequence[Detection]], min_confidence: float) -> list[Detection]:
    """What the looks at one picture found together, best first.

    Args:
        looks: the detections of each look, best first, in pixels of the picture; the look with the best boxes first.
        min_confidence: 0..1; of the average, to which a look that has no such box adds nothing.

    A look that is the only one counts as it is.
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
        confidence = _average([one.confidence for one in group.values()], len(looks))
        if confidence >= min_confidence:
            kept.append(group[min(group)].model_copy(update={"confidence": confidence}))
    return sorted(kept, key=lambda one: -one.confidence)


def large_ones(found: Sequence[Detection], width: int) -> list[Detection]:
    """What fills a picture of this width, of a look at it alone: all else was looked for before, and was not there."""
    return [
        one for one in found if one.confidence >= ALONE_CONFIDENCE and one.xyxy[2] - one.xyxy[0] >= _ALONE_WIDTH * width
    ]


def _average(confidences: Sequence[float], looks: int) -> float:
    """Of all looks, where `confidences` are those of the looks that have the box."""
    if looks == 1:
        return confidences[0]
    surest = max(confidences)
    return _SUREST_COUNTS * surest + (1 - _SUREST_COUNTS) * (sum(confidences) - surest) / (looks - 1)


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
        (_likeness(group[first].xyxy, one.xyxy), group)
        for group in groups
        if look not in group and group[first := min(group)].class_id == one.class_id
    ]
    best = max(open_ones, key=lambda item: item[0], default=(0.0, {}))
    return best[1] if best[0] >= _SAME else None


def _likeness(one: Xyxy, other: Xyxy) -> float:
    """How much two boxes are the same object, 0..1."""
    found = overlap(one, other)
    small, large = sorted((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    if found >= _SAME or small <= 0 or large > _LARGER * small:
        return found
    within = found * (small + large) / (1 + found) / small  # the shared area, as a share of the smaller box
    return _SAME if within >= _WITHIN else found
