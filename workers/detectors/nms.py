"""From a raw head's many boxes to one box an object: non-maximum suppression."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_MAX_OVERLAP = 0.5  #: intersection over union above which the less confident of two boxes of a class goes


def thin_out(raw: npt.NDArray[np.float32], min_confidence: float) -> npt.NDArray[np.float32]:
    """One picture's raw output -> rows as an end-to-end head gives them.

    Args:
        raw: (4 + classes, boxes): center x, center y, width, height in input pixels, then a score for each class.
        min_confidence: 0..1; boxes below it are left out.

    Returns:
        (rows, 6): x1, y1, x2, y2, confidence, class_id.
    """
    scores = raw[4:]
    confidences, class_ids = scores.max(axis=0), scores.argmax(axis=0)
    sure = np.flatnonzero(confidences >= min_confidence)
    x, y, width, height = raw[:4, sure]
    boxes = np.stack([x - width / 2, y - height / 2, width, height], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), confidences[sure].tolist(), class_ids[sure].tolist(), min_confidence, _MAX_OVERLAP
    )
    chosen = np.asarray(kept, np.int64).reshape(-1)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)[chosen]
    rest = np.stack([confidences[sure], class_ids[sure].astype(np.float32)], axis=1)[chosen]
    return np.concatenate([corners, rest], axis=1).astype(np.float32)
