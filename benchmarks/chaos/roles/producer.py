"""The producer under test, a process of its own: `python -m benchmarks.chaos.roles.producer JOURNAL SEED FRAMES
QUESTIONS`.

Each line on its standard input is an `Order`: publish up to a number of frames. It may be killed at any time; the next
one reads the journal, repeats what is unknown with the same ids and goes on.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.chaos.journal import Entry, Journal
from benchmarks.chaos.load import Bundle, draw_pixels, make_job, plan_bundles
from benchmarks.chaos.questions import QUESTIONS
from sightline.delivery.publisher import Publisher
from sightline.errors import BacklogFullError, BrokerUnavailableError, StoreUnavailableError
from sightline.settings import load_settings
from sightline.types import Lane, Pipeline

_PAUSE_S = 0.2


@dataclass(frozen=True)
class Order:
    """Publish all bundles that end at or before frame `until`, in `over_s` seconds or as fast as possible."""

    until: int
    round: int
    over_s: float = 0.0
    poison: bool = False  #: the first bundle holds a picture that cannot be worked on
    pipeline: str = ""  #: the first bundle is one of this, and nobody drops it

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


class Producer:
    def __init__(self, journal: Journal, seed: int, frames: int, questions: float) -> None:
        self._settings = load_settings()
        self._publisher = Publisher.from_settings(self._settings)
        self._journal = journal
        self._seed = seed
        self._bundles = plan_bundles(seed, frames, questions)
        self._next = len(journal.read())

    def repeat_unknown(self) -> None:
        for entry in list(self._journal.read().values()):
            if entry.verdict == "unknown":
                self._publish(entry)

    def follow(self, order: Order) -> None:
        todo = [bundle for bundle in self._bundles[self._next :] if bundle.end <= order.until]
        started_at = time.monotonic()
        for place, bundle in enumerate(todo):
            time.sleep(max(0.0, started_at + order.over_s * place / len(todo) - time.monotonic()))
            if place == 0:
                bundle = _first(bundle, order)
            self._publish(self._enter(bundle, order, poison=order.poison and place == 0))

    def _enter(self, bundle: Bundle, order: Order, *, poison: bool) -> Entry:
        self._next += 1
        return Entry(make_job(bundle, self._seed, self._settings), order.round, poison)

    def _publish(self, entry: Entry) -> None:
        """Until it is known whether the job was accepted. A full backlog is waited out, but not by live cameras."""
        job, journal = entry.job, self._journal
        pixels = draw_pixels(job, self._seed, poison=entry.poison)
        while True:
            dump = job.model_dump(mode="json")
            journal.write(job.job_id, "trying", job=dump, round=entry.round, poison=entry.poison)
            try:
                refused = self._publisher.publish(job, pixels)
            except BacklogFullError as error:
                if job.lane is Lane.LIVE:
                    return journal.write(job.job_id, "refused")
                journal.write(job.job_id, "full", error=str(error))
            except (BrokerUnavailableError, StoreUnavailableError) as error:
                journal.write(job.job_id, "unknown", error=str(error))
            else:
                if len(refused) == len(job.frames):
                    return journal.write(job.job_id, "refused")
                return journal.write(job.job_id, "accepted", refused=[frame.frame_id for frame in refused])
            time.sleep(_PAUSE_S)


def _first(bundle: Bundle, order: Order) -> Bundle:
    """The bundle that an order begins with. A picture that cannot be worked on needs one of pictures."""
    if order.pipeline:
        return replace(bundle, pipeline=Pipeline(order.pipeline), lane=Lane.BULK)
    return replace(bundle, pipeline=Pipeline.PLATES) if order.poison and bundle.pipeline in QUESTIONS else bundle


def main() -> None:
    journal, seed, frames, questions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    producer = Producer(Journal(journal), seed, frames, questions)
    producer.repeat_unknown()
    for line in sys.stdin:
        producer.follow(Order(**json.loads(line)))


if __name__ == "__main__":
    main()
