"""After one of the two stores came back as it was earlier: finds the jobs of the API again in the database.

Says how much of the rest is lost.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from sightline.delivery.publisher import Publisher
from sightline.errors import BacklogFullError
from storage.accounting.agreement import Break
from storage.accounting.ledger_snapshots import note_look, note_loss, note_missing
from storage.database.engine import Database
from storage.jobs.accepted import Accepted
from storage.results.queries import counts_by_source
from workers.housekeeping.agreement import AgreementWatch

log = logging.getLogger(__name__)

#: A Redis that came back without its last second looks unharmed: every so many rounds all jobs are compared.
_COMPARE_EVERY = 60


class Rebuild:
    """Beside the sweeper. `run` does one round."""

    def __init__(self, database: Database, accepted: Accepted, publisher: Publisher) -> None:
        self._database = database
        self._accepted = accepted
        self._publisher = publisher
        self._watch = AgreementWatch(database, publisher.ledger.agreement)
        self._rounds_to_go = 0
        self._generation = ""

    def run(self) -> None:
        """Raises `StoreUnavailableError`, `BrokerUnavailableError`: the rest of the round waits for the next.

        `SettingsError`: the ledger is another installation's.
        """
        found = self._watch.look()
        ledger = self._publisher.ledger
        generation = ledger.generation()
        if found is not None:
            self._watch.note(found, self._count(found, generation))
        if found is not None or generation != self._generation or self._watch.is_restarted or self._rounds_to_go == 0:
            self._compare(generation)
        self._rounds_to_go -= 1
        note_look(self._database, generation, ledger.balance())
        self._accepted.forget_finished()

    def _count(self, found: Break, generation: str) -> int:
        """How many frames that cost, at most."""
        ledger = self._publisher.ledger
        if found in (Break.REDIS_EMPTIED, Break.REDIS_OLDER):
            published = {source_id: each.get("published", 0) for source_id, each in ledger.counts().items()}
            return self._note_loss(generation, published if found is Break.REDIS_OLDER else None)
        # The database first: what is written meanwhile may count as missing, which is at most.
        rows, counts = counts_by_source(self._database), ledger.counts()
        missing: dict[str, tuple[int, int]] = {}
        for source_id, counted in counts.items():
            there = rows.get(source_id, Counter())
            frames = counted.get("stored", 0) - there["stored"] - there["removed"]
            letters = counted.get("dead", 0) - there["dead"] - there["removed_dead"]
            if frames > 0 or letters > 0:
                missing[source_id] = max(0, frames), max(0, letters)
        note_missing(self._database, generation, missing)
        return sum(frames for frames, _ in missing.values())

    def _note_loss(self, generation: str, published: Mapping[str, int] | None = None) -> int:
        safe = self._accepted.lost_frames(self._publisher.ledger)
        lost = note_loss(self._database, generation, safe, published)
        if lost:
            log.error("Redis lost its memory; frames that are lost with it, at most, by source: %s", lost)
        return sum(lost.values())

    def _compare(self, generation: str) -> None:
        self._note_loss(generation)
        try:
            rebuilt = self._accepted.rebuild(self._publisher)
        except BacklogFullError as full:
            log.warning("not all accepted jobs are published again yet: %s", full)
            return  # and compares again in the next round
        if rebuilt:
            log.warning("the ledger had lost jobs of the API; published again, in frames by source: %s", dict(rebuilt))
        self._generation, self._rounds_to_go = generation, _COMPARE_EVERY
