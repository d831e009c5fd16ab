"""How long things may take, how often they are tried, how many may be open."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sightline.settings.group import Count, Group, Seconds


class DeliverySettings(Group):
    """What the ledger, the sweeper and admission go by."""

    title = "Delivery"

    visibility_timeout_s: Seconds = Field(30, description="A message of a dead worker returns after this long.")
    job_timeout_s: Seconds = Field(
        120, description="A job without progress for this long, and not waiting in a queue, is sent again."
    )
    sweep_interval_s: Seconds = Field(5, description="How often overdue jobs are looked for.")
    max_attempts: Count = Field(5, description="A job sent this often without an end becomes a dead letter.")
    max_open_frames: Count = Field(20_000, description="Frames accepted and not finished, over all sources.")
    max_open_frames_per_source: Count = Field(2_000, description="The same for one source.")
    live_max_open_frames: Count = Field(
        8, description="The same for one live camera: above it new pictures are dropped."
    )
    live_deadline_s: Seconds = Field(5, description="A live frame older than this is dropped instead of processed.")
    frame_ttl_s: Seconds = Field(
        24 * 3600, description="Pixels of an unfinished frame are kept this long in the frame store."
    )
    result_ttl_s: Annotated[float, Field(ge=1)] = Field(
        3600, description="A finished result can be waited for this long; rows stay."
    )
