"""What the reason of a dead letter means and what helps, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXPLANATIONS: Final[Mapping[str, str]] = {
    "bad_image": (
        "The picture is damaged, empty, too large or neither JPEG, PNG nor WebP. A replay ends the same way: discard "
        "the letter, and submit a whole picture."
    ),
    "bad_message": (
        "The message did not have the agreed shape, or held a value that cannot be stored. Correct its sender "
        "(docs/reference/wire.md), then discard the letter."
    ),
    "bad_sound": (
        "There is no sound in the file that can be read, or it is too long; the message says which. A replay ends the "
        "same way: discard the letter, and submit a whole recording, or its parts."
    ),
    "bad_text": (
        "A text in the frame store is no UTF-8. Write it as UTF-8 and submit it again, then discard the letter."
    ),
    "bad_question": (
        "A question cannot be answered as it is: too long for the model, of a shape that it does not take, or it asks "
        "for what the model does not do; the message says which. Ask again otherwise, and discard the letter. Newer "
        "workers answer such a question with `refused`, and bury nothing."
    ),
    "frame_missing": (
        "The pixels were not in the frame store when a worker came for them: never put there, freed, or older than "
        "SIGHTLINE_FRAME_TTL_S. Submit the picture again."
    ),
    "model_unavailable": (
        "The model of this pipeline is unknown, missing or damaged; the message names it and where its file belongs "
        "(docs/reference/models.md). Put it there, then replay. After a change of settings, restart the worker first."
    ),
    "worker_lost": (
        "Workers died again and again while they held this job, which may be its fault: see their logs for a crash or "
        "for memory. Replay it once the cause is gone."
    ),
    "model_failed": (
        "The model raised an error on this frame, alone as well; the message and the worker's log have it. Replay it "
        "with a newer model or version."
    ),
    "attempts_exhausted": (
        "The job was sent SIGHTLINE_MAX_ATTEMPTS times and none came to an end: see the workers' logs. Replay it once "
        "the cause is gone."
    ),
}


def explain(reason: str) -> str:
    """One or two sentences; of an unknown reason only that the message has to do."""
    return EXPLANATIONS.get(reason, "See the message. Replay it once the cause is gone.")
