"""After the loss of Redis: finds the jobs of the API again in the database, and says how much of the rest is lost."""

from __future__ import annotations

import logging

from sightline.delivery.publisher import Publisher
from sightline.errors import BacklogFullError
from storage.accounting.ledger_snapshots import note_look, note_loss
from storage.database.engine import Database
from storage.jobs.accepted import Accepted

log = logging.getLogger(__name__)

#: A Redis that came back without its last second looks unharmed: every so many rounds all jobs are compared.
_COMPARE_EVERY = 60


class Rebuild:
    """Beside the sweeper. `run` does one round."""

    def __init__(self, database: Database, accepted: Accepted, publisher: Publisher) -> None:
        self._database = database
        self._accepted = accepted
        self._publisher = publisher
        self._rounds_to_go = 0
        self._generation = ""

    def run(self) -> None:
        """Raises `StoreUnavailableError`, `BrokerUnavailableError`: the rest of the round waits for the next."""
        ledger = self._publisher.ledger
        generation = ledger.generation()
        if generation != self._generation or self._rounds_to_go == 0:
            self._compare(generation)
        self._rounds_to_go -= 1
        note_look(self._database, generation, ledger.open_frames())
        self._accepted.forget_finished()

    def _compare(self, generation: str) -> None:
        lost = note_loss(self._database, generation, self._accepted.unfinished_frames())
        if lost:
            log.error("Redis lost its memory; frames that are lost with it, at most, by source: %s", lost)
        try:
            rebuilt = self._accepted.rebuild(self._publisher)
        except BacklogFullError as full:
            log.warning("not all accepted jobs are published again yet: %s", full)
            return  # and compares again in the next round
        if rebuilt:
            log.warning("the ledger had lost jobs of the API; published again, in frames by source: %s", dict(rebuilt))
        self._generation, self._rounds_to_go = generation, _COMPARE_EVERY
