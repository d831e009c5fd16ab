"""Every table, typed. The classes are tables, not objects with behavior: rows are written and read in bulk.

Times are UTC with zone on SQLite and PostgreSQL alike, boxes absolute pixels, confidences 0..1. `source_id` and
`captured_at` are repeated on detections and readings so that the common questions need no join.

Tables are imported from here alone: whoever has one has the metadata of all.
"""

from storage.tables.access import ApiKeys, AuditLog, PageSessions
from storage.tables.base import Base
from storage.tables.books import Agreements, LedgerLooks, RemovedRows, StoreBreaks
from storage.tables.conversations import Conversations, Messages
from storage.tables.findings import Findings
from storage.tables.frames import DeadLetters, Detections, Frames, Readings
from storage.tables.jobs import AcceptedJobs, Jobs, Sources
from storage.tables.passages import KnownPlates, Passages, PlateRotations, Stands
from storage.tables.sinks import Deliveries, Sinks

__all__ = [
    "AcceptedJobs",
    "Agreements",
    "ApiKeys",
    "AuditLog",
    "Base",
    "Conversations",
    "DeadLetters",
    "Deliveries",
    "Detections",
    "Findings",
    "Frames",
    "Jobs",
    "KnownPlates",
    "LedgerLooks",
    "Messages",
    "PageSessions",
    "Passages",
    "PlateRotations",
    "Readings",
    "RemovedRows",
    "Sinks",
    "Sources",
    "Stands",
    "StoreBreaks",
]
