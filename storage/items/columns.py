"""What rows of items have in common."""

from __future__ import annotations

from typing import Any

from sightline.types import ItemResult, StageRun
from storage.database.bulk import Row


def clean(text: str) -> str:
    """What both databases take as text: no NUL characters, no halves of surrogate pairs."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def keys_of_parts(frame_id: str, parts: list[Any] | None) -> list[str]:
    """Where the parts of an item lie, as its row has them."""
    return [frame_id] if not parts else [part["key"] for part in parts if part.get("key")]


def of_item(result: ItemResult) -> Row:
    """What every row of an item says of it."""
    frame = result.frame
    return {"frame_id": frame.frame_id, "source_id": frame.source_id, "captured_at": frame.captured_at}


def of_stage(result: ItemResult, stage: str | None) -> Row:
    """What ran. The last run of the stage counts; nothing is known if there was none."""
    run: StageRun | None = None
    for each in result.stages:
        if each.stage == stage:
            run = each
    if run is None:
        return dict.fromkeys(("model", "model_sha256", "runtime", "worker", "queue_wait_ms", "inference_ms"))
    return {
        "model": clean(run.model),
        "model_sha256": clean(run.model_sha256),
        "runtime": clean(run.runtime),
        "worker": clean(run.worker),
        "queue_wait_ms": run.queue_wait_ms,
        "inference_ms": run.inference_ms,
    }
