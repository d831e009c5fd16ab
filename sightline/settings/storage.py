"""What becomes a passage, and how long things are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sightline.settings.group import Days, Group, Seconds


class StorageSettings(Group):
    """What the writer and the retention go by."""

    title = "Storage"

    keep_pictures: Literal["results", "all", "none"] = Field(
        "results",
        description="Which pictures outlive their job. Those of dead letters do unless `none`, for a replay.",
    )
    passage_gap_s: Seconds = Field(10, description="Readings of one plate further apart than this are two passages.")
    parked_gap_s: Annotated[float, Field(ge=0)] = Field(
        600, description="The same for a vehicle that stands still at one place of the picture; 0: no difference."
    )
    keep_results_days: Days = Field(
        365,
        description="Jobs, frames, what was found on them, passages, and messages of conversations are deleted this "
        "long after they were stored; 0: never. See `docs/how-to/retention.md`, also for the next three.",
    )
    keep_pictures_days: Days = Field(
        30, description="The same for kept pictures; at the latest they go with their frames. 0: not before."
    )
    keep_dead_letters_days: Days = Field(
        365, description="The same for dead letters nobody took care of, and events given up; 0: never."
    )
    keep_audit_log_days: Days = Field(365, description="The same for entries of the audit log; 0: never.")
