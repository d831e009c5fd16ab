"""Decoders in hardware, where FFmpeg has them and this machine too; else in software, which is said once."""

from __future__ import annotations

import functools
import logging
from typing import Final

import av.error
from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

log = logging.getLogger(__name__)

OFF: Final = "off"
AUTO: Final = "auto"
#: What tells a device that cannot be had from a stream that cannot.
DEVICE_ERRORS: Final = (
    av.error.PermissionError,
    av.error.ExternalError,
    av.error.UnknownError,
    av.error.MemoryError,
    NotImplementedError,
)


def accelerator(wanted: str) -> HWAccel | None:
    """What to decode with; None: software.

    Args:
        wanted: `off`, `auto`, or a type of FFmpeg's such as `cuda`, also with a device: `vaapi:/dev/dri/renderD129`.
    """
    name = None if wanted == OFF else usable(wanted)
    return None if name is None else _accelerator(name)


@functools.cache
def usable(wanted: str) -> str | None:
    """The first of what is wanted that works here. Tried once in a process: that takes a while, and is logged."""
    reasons: list[str] = []
    for name in hwdevices_available() if wanted == AUTO else [wanted]:
        try:
            _accelerator(name).create(Codec("h264", "r"))
        except (av.error.FFmpegError, NotImplementedError, ValueError) as error:
            reasons.append(f"{name}: {getattr(error, 'strerror', None) or error}")
        else:
            log.info("video is decoded by %s", name)
            return name
    log.warning("video is decoded in software, no hardware can be used: %s", "; ".join(reasons) or "FFmpeg knows none")
    return None


def _accelerator(name: str) -> HWAccel:
    kind, _, device = name.partition(":")
    return HWAccel(kind, device or None, allow_software_fallback=True)
