"""The wire on one screen: every queue, task and lane name, and the routes between them.

Names are plain strings and never derived from module paths, so that a refactor strands no message in flight.
"""

from __future__ import annotations

from typing import Final

from sightline.types import Lane, Pipeline

DETECT_QUEUE: Final = "gpu.detect"
OCR_QUEUE: Final = "cpu.ocr"
WRITE_QUEUE: Final = "db.write"

DETECT_TASK: Final = "sightline.detect"
OCR_TASK: Final = "sightline.ocr"
WRITE_TASK: Final = "sightline.write"
DEAD_LETTER_TASK: Final = "sightline.dead_letter"  #: a message that is no job, for the dead letters

ROUTES: Final[dict[str, str]] = {
    DETECT_TASK: DETECT_QUEUE,
    OCR_TASK: OCR_QUEUE,
    WRITE_TASK: WRITE_QUEUE,
    DEAD_LETTER_TASK: WRITE_QUEUE,
}
#: What a worker process can be there for, in the order of the stages, and the queue it consumes for that.
ROLES: Final[dict[str, str]] = {"detect": DETECT_QUEUE, "ocr": OCR_QUEUE, "write": WRITE_QUEUE}
QUEUES: Final[tuple[str, ...]] = tuple(ROLES.values())

#: The stages of each pipeline, in order. `write` is always last.
STAGES: Final[dict[Pipeline, tuple[str, ...]]] = {
    Pipeline.OBJECTS: (DETECT_TASK, WRITE_TASK),
    Pipeline.TEXT: (DETECT_TASK, OCR_TASK, WRITE_TASK),
    Pipeline.PLATES: (DETECT_TASK, OCR_TASK, WRITE_TASK),
}

#: Redis serves the lowest number first (one list per number); RabbitMQ the highest: `delivery` turns it round there.
LANE_PRIORITY: Final[dict[Lane, int]] = {Lane.INTERACTIVE: 0, Lane.LIVE: 3, Lane.BULK: 6}
#: All the numbers that come to a lane. A sender may give any, and on Redis each can be a list of its own.
LANE_PRIORITIES: Final[dict[Lane, range]] = {
    Lane.INTERACTIVE: range(3),
    Lane.LIVE: range(3, 6),
    Lane.BULK: range(6, 10),
}


def next_task(pipeline: Pipeline, task: str) -> str:
    """The task that follows `task` in `pipeline`."""
    stages = STAGES[pipeline]
    return stages[stages.index(task) + 1]
