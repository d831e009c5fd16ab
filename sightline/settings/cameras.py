"""The camera process."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sightline.settings.group import Group, Milliseconds, Seconds


class CameraSettings(Group):
    """How streams are opened, read and published."""

    title = "Camera process"

    camera_tick_ms: Milliseconds = Field(100, description="The newest frames of all cameras of a tick travel together.")
    camera_jpeg_quality: Annotated[int, Field(ge=10, le=100)] = Field(90, description="Quality of published frames.")
    camera_open_timeout_s: Seconds = Field(10, description="Opening a stream may take this long.")
    camera_read_timeout_s: Seconds = Field(10, description="A stream silent for this long is reconnected.")
