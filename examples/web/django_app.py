"""Django: a view that reads a plate at once, and one that only takes the photo and is asked for the result later."""

from __future__ import annotations

import functools

from django.http import HttpRequest, JsonResponse
from django.urls import path

from sightline import BadImageError, RetryableError, Sightline, WaitTimeoutError


@functools.cache
def sightline() -> Sightline:
    """One client for each process. It connects when it is first used, so after a server has forked."""
    return Sightline()


def read(request: HttpRequest) -> JsonResponse:
    """POST a photo in the form field `photo`; the answer is its plates."""
    try:
        job = sightline().submit(request.FILES["photo"].read(), source_id="reception")
        result = job.wait(timeout_s=10)
    except BadImageError as error:
        return JsonResponse({"error": str(error)}, status=422)
    except WaitTimeoutError as error:
        return JsonResponse({"error": str(error)}, status=202)
    except RetryableError as error:  # the backlog is full, or Redis does not answer
        return JsonResponse({"error": str(error)}, status=503, headers={"Retry-After": "5"})
    return JsonResponse({"plates": [reading.text for reading in result.readings]})


def accept(request: HttpRequest) -> JsonResponse:
    """The same without waiting: keep the id, and ask `result/<id>` later."""
    job = sightline().submit(request.FILES["photo"].read(), source_id="reception", lane="bulk")
    return JsonResponse({"job_id": job.job_id}, status=202)


def result(_request: HttpRequest, job_id: str) -> JsonResponse:
    try:
        done = sightline().wait(job_id, timeout_s=0.1)
    except WaitTimeoutError:
        return JsonResponse({"status": "open"}, status=202)
    return JsonResponse({"status": done.status, "plates": [reading.text for reading in done.readings]})


urlpatterns = [path("read", read), path("accept", accept), path("result/<job_id>", result)]
