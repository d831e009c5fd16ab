"""An existing Celery app, with a broker of its own, that hands photos to Sightline and stores what was read."""

from __future__ import annotations

import functools
import os
from typing import Any

from celery import Celery

from sightline import RetryableError, Sightline, WaitTimeoutError

app = Celery("shop", broker=os.environ.get("SHOP_BROKER_URL", "redis://127.0.0.1:6379/1"))


@functools.cache
def sightline() -> Sightline:
    """One client for each worker process. It talks to Sightline's broker, whatever broker this app has."""
    return Sightline()


@app.task(autoretry_for=(RetryableError,), retry_backoff=True, max_retries=None)
def read_plates(path: str) -> str:
    """Submit a photo. Trying again adds nothing: the job's id follows from the photo."""
    job = sightline().submit(path, source_id="shop", lane="bulk")
    keep_plates.apply_async([job.job_id], countdown=2)
    return job.job_id


@app.task(bind=True, max_retries=200)
def keep_plates(self: Any, job_id: str) -> list[str]:
    """Look for the result, and come back later if there is none yet: no process waits meanwhile."""
    try:
        result = sightline().wait(job_id, timeout_s=0.1)
    except WaitTimeoutError as error:
        raise self.retry(exc=error, countdown=5) from error
    return [reading.text for reading in result.readings]
