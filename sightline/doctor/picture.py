"""A picture of a car on its whole way: how long each stage took, and whether the plate was read."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from sightline.client.client import Sightline
from sightline.doctor.finding import Finding, bad, ok, warn
from sightline.errors import WaitTimeoutError
from sightline.settings import Settings
from sightline.testing import make_picture
from sightline.types import FrameResult, JobStatus, Pipeline
from sightline.wire.events import DOCTOR_SOURCE

SOURCE_ID: Final = DOCTOR_SOURCE
_WITHIN_S: Final = 30.0
_PLATE: Final = "MDR4812"  #: of the car in `car.jpg`, drawn as the demo's are


def send_a_picture(settings: Settings) -> Iterator[Finding]:
    """One drawn picture of the source `doctor`; its job and its passage stay among the others."""
    what = "picture"
    picture, plate = _picture(settings)
    began_s = time.monotonic()
    with Sightline(settings) as client:
        job = client.submit(picture, pipeline=Pipeline.PLATES, source_id=SOURCE_ID)
        sent_s = time.monotonic() - began_s
        try:
            result = job.wait(_WITHIN_S)
        except WaitTimeoutError:
            yield bad(
                what, f"not stored after {_WITHIN_S:.0f} s: job {job.job_id}", f"sightline jobs show {job.job_id}"
            )
            return
    took_s = time.monotonic() - began_s
    if result.status is not JobStatus.STORED:
        why = "; ".join(f"{error.stage}: {error.reason}: {error.message}" for error in result.errors)
        yield bad(what, f"{result.status}: {why}", f"sightline jobs show {job.job_id}")
        return
    stages = [
        f"{run.stage} {run.inference_ms:.0f} ms (waited {run.queue_wait_ms:.0f})"
        for frame in result.frames
        if isinstance(frame, FrameResult)
        for run in frame.stages
    ]
    read = [reading.text for reading in result.readings]
    says = f"stored after {took_s:.2f} s: " + ", ".join([f"sent {sent_s * 1000:.0f} ms", *stages])
    if any("".join(filter(str.isalnum, text)) == plate for text in read):
        yield ok(what, f"the plate {plate} was read, {says}")
        return
    instead = f"read as {', '.join(read)}" if read else "not read"
    yield warn(
        what,
        f"the plate {plate} was {instead}, {says}",
        f"sightline explain {job.job.frames[0].frame_id}; which models workers load is in their settings",
    )


def _picture(settings: Settings) -> tuple[bytes, str]:
    """A picture, another each time, for the same would not be worked on again; and the plate in it."""
    if settings.plates_model == "stub":
        text = secrets.token_hex(4).upper()
        return make_picture(text), text
    picture = (files("sightline.doctor") / "car.jpg").read_bytes()
    comment = secrets.token_bytes(8)
    return picture[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment + picture[2:], _PLATE
