"""The camera process."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from sightline.settings.group import Group, Milliseconds, Seconds

_HARDWARE = ("cuda", "vaapi", "vdpau", "videotoolbox", "d3d11va", "d3d12va", "dxva2", "vulkan")


def _known(value: str) -> str:
    kind, colon, device = value.partition(":")
    if (kind in ("off", "auto") and not colon) or (kind in _HARDWARE and bool(colon) == bool(device)):
        return value
    raise ValueError(f"give off, auto, or one of {', '.join(_HARDWARE)}, with a device as in vaapi:/dev/dri/renderD129")


class CameraSettings(Group):
    """How streams are opened, read and published."""

    title = "Camera process"

    camera_tick_ms: Milliseconds = Field(100, description="The newest frames of all cameras of a tick travel together.")
    camera_jpeg_quality: Annotated[int, Field(ge=10, le=100)] = Field(90, description="Quality of published frames.")
    camera_open_timeout_s: Seconds = Field(10, description="Opening a stream may take this long.")
    camera_hardware_decoding: Annotated[str, AfterValidator(_known)] = Field(
        "off",
        description="Decode video in hardware: off, auto, or a type that FFmpeg knows (cuda, vaapi, videotoolbox, …), "
        "with a device as in vaapi:/dev/dri/renderD129. Software where that does not work; the log says so.",
    )
    camera_read_timeout_s: Seconds = Field(10, description="A stream silent for this long is reconnected.")
