"""The wire on one screen: the names of our queues, tasks and lanes; `sightline.pipelines` puts them together.

Names are plain strings and never derived from module paths, so that a refactor strands no message in flight.
"""

from __future__ import annotations

from typing import Final

from sightline.types import Lane

DETECT_QUEUE: Final = "gpu.detect"
OCR_QUEUE: Final = "cpu.ocr"
WRITE_QUEUE: Final = "db.write"

DETECT_TASK: Final = "sightline.detect"
OCR_TASK: Final = "sightline.ocr"
WRITE_TASK: Final = "sightline.write"
ARRIVE: Final = "sightline.arrive"  #: no task: where a chain of a forking pipeline ends
DEAD_LETTER_TASK: Final = "sightline.dead_letter"  #: a message that is no job, for the dead letters

#: Redis serves the lowest number first (one list per number); RabbitMQ the highest: `delivery` turns it round there.
LANE_PRIORITY: Final[dict[Lane, int]] = {Lane.INTERACTIVE: 0, Lane.LIVE: 3, Lane.BULK: 6}
#: All the numbers that come to a lane. A sender may give any, and on Redis each can be a list of its own.
LANE_PRIORITIES: Final[dict[Lane, range]] = {
    Lane.INTERACTIVE: range(3),
    Lane.LIVE: range(3, 6),
    Lane.BULK: range(6, 10),
}
