"""How the harness talks to the processes it started: by environment and by files in the run's folder."""

from __future__ import annotations

from typing import Final

#: Environment: names of protections that are off, separated by commas, and the folder of the files below.
WITHOUT: Final = "CHAOS_WITHOUT"
FOLDER: Final = "CHAOS_FOLDER"

#: lease: messages that are worked on keep no lease. ledger: nobody sends overdue jobs again. in-body-hand-over: the
#: next stage's message gets one try, and its own is acknowledged anyway. webhook-id: each further attempt
#: has an id of its own. late-ack: a message is acknowledged before it is worked on. arrive-again: a branch or shard
#: that arrives once more tells nobody. failed-branches: a branch of which nothing came does not arrive.
#: letters: a message that is no job is forgotten. restarts: a stage that streams does not say that it starts over.
#: refusals: a database that says no is taken for a bug.
PROTECTIONS: Final = (
    "lease", "ledger", "in-body-hand-over", "webhook-id", "late-ack", "arrive-again", "failed-branches",
    "letters", "restarts", "refusals",
)  # fmt: skip

NO_MEMORY_FILE: Final = "no-memory"  #: while it is there, no detector gets memory
SLOW_FILE: Final = "slow-model"  #: the detector that takes it away needs `SLOW_S` for its next call
SLOW_S: Final = 9.0
HOLD_FILE: Final = "hold"  #: while it is there, a stage that hands over keeps what it began and nobody may drop
HELD_FILE: Final = "held"  #: a stage does
REFUSED_FILE: Final = "refused"  #: the broker did not take a message of a stage
#: The worker that takes it away dies: when the last branch of a job has arrived and nothing is sent, when the last
#: shard has, in the middle of a shard, or of what a stage says while it works.
DIE_AFTER_BRANCH_FILE: Final = "die-after-branch"
DIE_AFTER_SHARD_FILE: Final = "die-after-shard"
DIE_IN_SHARD_FILE: Final = "die-in-shard"
DIE_IN_STREAM_FILE: Final = "die-in-stream"
#: The same when all that an answer needs has arrived and nothing is sent, in the middle of an answer, and of reading
#: speech.
DIE_BEFORE_ANSWER_FILE: Final = "die-before-answer"
DIE_IN_ANSWER_FILE: Final = "die-in-answer"
DIE_IN_SPEECH_FILE: Final = "die-in-speech"
DIED_FILE: Final = "died"  #: it did
HANG_FILE: Final = "hang"  #: the chat engine that takes it away says nothing to the next question for `HANG_S`
HANG_S: Final = 15.0
HUNG_FILE: Final = "hung"  #: one does
RUNS_FOLDER: Final = "runs"  #: one file a worker process: the id of each job a stage began to work on
RECEIVER_MOOD_FILE: Final = "receiver-mood"  #: holds the name of a fault; while it is there, the receiver acts on it
MODEL_MOOD_FILE: Final = "model-mood"  #: the same of the server that chat engines ask
MOOD_MET_FILE: Final = "mood-met"  #: it did

PACKAGES: Final = "packages"  #: folder of the package that brings the pipeline that forks
JOURNAL: Final = "journal.jsonl"  #: of the producer
CAMERA_JOURNAL: Final = "camera.jsonl"
FOREIGN_JOURNAL: Final = "foreign.jsonl"
FOREIGN_LETTERS: Final = "foreign-letters"  #: ids of tasks that must be dead letters, one a line
RECEIPTS: Final = "receipts.jsonl"  #: of the receiver
CAMERA: Final = "gate"
SINK: Final = "receiver"
