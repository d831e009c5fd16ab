"""Whether ledger and database still are of one time: each round both come one step further, or one was restored."""

from __future__ import annotations

import logging

from sightline.delivery.agreement import Agreement, LedgerSide, other_installation
from storage.accounting.agreement import (
    Break,
    DatabaseSide,
    change_side,
    note_break,
    read_side,
    read_timeline,
    words_of,
)
from storage.database.engine import Database

log = logging.getLogger(__name__)


class AgreementWatch:
    """Beside the sweeper, in each writer.

    A step is proposed in the database, taken by the ledger, and noted as agreed in the database. So the ledger is at
    one of the two numbers that the database has; where it is below, Redis is older, and above, the database is.
    """

    def __init__(self, database: Database, agreement: Agreement) -> None:
        self._database = database
        self._agreement = agreement
        self._run_id = ""
        self._seen: tuple[DatabaseSide, LedgerSide] | None = None
        self.is_restarted = False  #: whether Redis was, since the round before: its last second may be lost

    def look(self) -> Break | None:
        """One round. What is returned waits for `note`.

        Raises:
            SettingsError: the ledger is another installation's.
            StoreUnavailableError, BrokerUnavailableError: not looked at.
        """
        before, timeline = read_side(self._database), read_timeline(self._database)
        ledger = self._agreement.read()
        if read_side(self._database) != before:
            return None  # another writer is at it
        if (error := other_installation(before.installation_id, ledger)) is not None:
            raise error
        self._notice_restart()
        found = _judge(before, ledger, timeline)
        if found is None:
            self._agree(before, ledger, timeline)
            return None
        self._seen = before, ledger
        if found is Break.REDIS_OLDER:
            self._agreement.begin_generation()
        elif found is not Break.REDIS_EMPTIED:
            self._agreement.void_marks(before.agreed_at, ledger.at)
        return found

    def note(self, found: Break, frames: int) -> None:
        """What `look` found is dealt with, and cost so many frames at most."""
        assert self._seen is not None
        before, ledger = self._seen
        timeline = read_timeline(self._database)
        if found in (Break.DATABASE_OLDER, Break.DATABASE_PROMOTED):
            step = max(ledger.step, before.proposed)
            changed = {"step": step, "proposed": step, "agreed_at": ledger.at, "timeline": timeline}
        else:
            step = before.proposed + 1
            changed = {"proposed": step, "timeline": timeline}
        if not note_break(self._database, before, found, frames, **changed):
            return
        log.error("%s", words_of(found, frames))
        if ledger.installation_id is None:
            self._agreement.adopt(before.installation_id, step)
        self._agreement.advance(before.installation_id, step)

    def _agree(self, before: DatabaseSide, ledger: LedgerSide, timeline: str) -> None:
        step = before.proposed
        if step == before.step:
            step += 1
            if not change_side(self._database, before, proposed=step):
                return
        if ledger.installation_id is None:
            self._agreement.adopt(before.installation_id, step)
        at = self._agreement.advance(before.installation_id, step)
        if at is not None:
            proposed = DatabaseSide(before.installation_id, before.step, step, before.agreed_at, before.timeline)
            change_side(self._database, proposed, step=step, agreed_at=at, timeline=timeline)

    def _notice_restart(self) -> None:
        run_id = self._agreement.run_id()
        self.is_restarted = bool(self._run_id) and run_id != self._run_id
        self._run_id = run_id or self._run_id


def _judge(database: DatabaseSide, ledger: LedgerSide, timeline: str) -> Break | None:
    if ledger.installation_id is None:
        return Break.REDIS_EMPTIED if database.proposed else None
    if ledger.step > database.proposed:
        return Break.DATABASE_OLDER
    if ledger.step < database.step:
        return Break.REDIS_OLDER
    if database.timeline and timeline and timeline != database.timeline:
        return Break.DATABASE_PROMOTED
    return None
