"""What stages that work on text are given: the text of each item, wherever it lies."""

from __future__ import annotations

from sightline.blobs.names import frames_name
from sightline.blobs.store import FrameStore
from sightline.errors import FrameMissingError
from sightline.types import FrameError, Item
from sightline.wire.messages import Job


def read_texts(job: Job, store: FrameStore, stage: str) -> list[str | FrameError]:
    """The texts of each item of a job, in order, those of one item a paragraph each; or why there are none.

    Raises StoreUnavailableError: the frame store does not answer; the runner tries again.
    """
    keys = [part.key for item in job.frames for part in item.parts if part.medium == "text" and part.key]
    found = dict(zip(keys, store.get_bundle(frames_name(job.job_id), keys), strict=True))
    return [_text(item, found, stage) for item in job.frames]


def _text(item: Item, found: dict[str, bytes | None], stage: str) -> str | FrameError:
    texts: list[str] = []
    for part in item.parts:
        if part.medium != "text":
            continue
        data = found[part.key] if part.key else None
        if part.text is None and data is None:
            why = f"text {part.key} is not in the frame store (never put there, or its TTL is over)"
            return FrameError(reason=FrameMissingError.reason, message=why, stage=stage)
        try:
            texts.append(part.text if data is None else data.decode())  # type: ignore[arg-type]
        except UnicodeDecodeError as error:
            return FrameError(reason="bad_text", message=f"text {part.key} is no UTF-8: {error}"[:500], stage=stage)
    return "\n\n".join(texts)
