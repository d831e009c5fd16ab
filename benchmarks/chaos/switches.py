"""How the harness talks to the processes it started: by environment and by files in the run's folder."""

from __future__ import annotations

from typing import Final

#: Environment: names of protections that are off, separated by commas, and the folder of the files below.
WITHOUT: Final = "CHAOS_WITHOUT"
FOLDER: Final = "CHAOS_FOLDER"

#: lease: messages that are worked on keep no lease. ledger: nobody sends overdue jobs again. in-body-hand-over: the
#: next stage's message gets one try, and its own is acknowledged anyway. webhook-id: each further attempt
#: has an id of its own.
PROTECTIONS: Final = ("lease", "ledger", "in-body-hand-over", "webhook-id")

NO_MEMORY_FILE: Final = "no-memory"  #: while it is there, no detector gets memory
SLOW_FILE: Final = "slow-model"  #: the detector that takes it away needs `SLOW_S` for its next call
SLOW_S: Final = 9.0
HOLD_FILE: Final = "hold"  #: while it is there, a stage that hands over keeps what it began and nobody may drop
HELD_FILE: Final = "held"  #: a stage does
REFUSED_FILE: Final = "refused"  #: the broker did not take a message of a stage
RUNS_FOLDER: Final = "runs"  #: one file a worker process: the id of each job a stage began to work on
RECEIVER_MOOD_FILE: Final = "receiver-mood"  #: holds the name of a fault; while it is there, the receiver acts on it
MOOD_MET_FILE: Final = "mood-met"  #: it did

JOURNAL: Final = "journal.jsonl"  #: of the producer
CAMERA_JOURNAL: Final = "camera.jsonl"
RECEIPTS: Final = "receipts.jsonl"  #: of the receiver
CAMERA: Final = "gate"
SINK: Final = "receiver"
