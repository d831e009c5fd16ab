"""A picture on its whole way: put, detected, read, stored, and how long each took."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Final

from sightline.client.client import Sightline
from sightline.doctor.finding import Finding, bad, ok
from sightline.errors import WaitTimeoutError
from sightline.settings import Settings
from sightline.testing import make_picture
from sightline.types import FrameResult, JobStatus

SOURCE_ID: Final = "doctor"
_WITHIN_S: Final = 30.0


def send_a_picture(settings: Settings) -> Iterator[Finding]:
    """One drawn picture of the source `doctor`; its job stays among the others."""
    what = "picture"
    picture = make_picture(secrets.token_hex(4).upper())  # another each time: the same would not be worked on again
    began_s = time.monotonic()
    with Sightline(settings) as client:
        job = client.submit(picture, source_id=SOURCE_ID)
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
    yield ok(what, f"stored after {took_s:.2f} s: " + ", ".join([f"sent {sent_s * 1000:.0f} ms", *stages]))
