"""How events leave the system."""

from __future__ import annotations

from pydantic import Field

from sightline.settings.group import Count, Group, Seconds


class SinkSettings(Group):
    """How long and how often a receiver is tried."""

    title = "Sinks"

    public_url: str = Field(
        "", description="Where receivers reach the API; put before the links in events. Empty: links are paths."
    )
    delivery_timeout_s: Seconds = Field(10, description="A receiver must have answered within this time.")
    delivery_concurrency: Count = Field(4, description="Sources whose events go to one sink at the same time.")
    delivery_max_attempts: Count = Field(30, description="An event refused this often is given up; it can be replayed.")
    delivery_retry_s: Seconds = Field(1, description="Pause after the first failed attempt; it doubles with each.")
    delivery_max_retry_s: Seconds = Field(3600, description="The longest such pause.")
    delivery_keep_s: Seconds = Field(7 * 24 * 3600, description="Sent events can be replayed for so long.")
