"""The Python client's way through the HTTP API, for where there is no Redis to reach."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import quote

from sightline.client.http import ApiClient, AsyncApiClient, NotThereError
from sightline.delivery.cancellations import CANCELLED
from sightline.delivery.delta_stream import StreamEvent
from sightline.errors import BadMessageError, WaitTimeoutError
from sightline.pipelines import parse_result, registry
from sightline.settings import Settings
from sightline.submission.sequences import SUBMITTED
from sightline.tracing import current_traceparent
from sightline.types import JobResult, Part
from sightline.wire.messages import Job

#: The API waits for no longer.
_WAIT_S: Final = 60.0
MAX_SILENT_S: Final = 3600.0


class OverHttp:
    """Sends jobs as whoever uploads them does."""

    def __init__(self, settings: Settings) -> None:
        self._api = ApiClient(settings)

    def accept(
        self, job: Job, pixels: dict[str, bytes], idempotency_key: str | None = None
    ) -> tuple[Job, tuple[str, ...]]:
        """Upload a job. Gives it without the frames that the live lane refused, and what the API says of its files.

        Raises as `ApiClient.call` does.
        """
        spec = registry().find(job.pipeline)
        key = idempotency_key or (job.job_id if spec is not None and spec.is_new_each_time else None)
        headers = {"Idempotency-Key": key} if key else {}
        if traceparent := job.traceparent or current_traceparent():
            headers["traceparent"] = traceparent
        answer: dict[str, Any] = self._api.call("POST", "/jobs", headers=headers, **_content(job, pixels))
        refused = answer.get("refused") or ()
        frames = tuple(frame for frame in job.frames if frame.frame_id not in refused)
        accepted = job.model_copy(update={"job_id": answer["job_id"], "frames": frames})
        return accepted, tuple(answer.get("notes") or ())

    def wait(self, job_id: str, timeout_s: float) -> JobResult | None:
        """The result; None when `timeout_s` passed first."""
        until = time.monotonic() + timeout_s
        while True:
            wait_s = _next_wait(until)
            result = _result(self._api.call("GET", _path(job_id), query={"wait": wait_s}, waits_s=wait_s))
            if result is not None or time.monotonic() >= until:
                return result

    def timed_out(self, job_id: str, timeout_s: float) -> WaitTimeoutError:
        """See `OverRedis.timed_out`. The API knows the job, or it would have said so."""
        what = f"is not finished after {timeout_s:g} s; it goes on, wait again with its id"
        return WaitTimeoutError(f"job {job_id} {what}", job_id=job_id)

    def cancel(self, job_id: str) -> bool:
        """Whether there was anything to cancel."""
        try:
            result = _result(self._api.call("POST", f"{_path(job_id)}/cancel"))
        except BadMessageError as error:
            if isinstance(error, NotThereError) or error.field == "job_id":
                return False
            raise
        return result is None or any(frame.dropped == CANCELLED for frame in result.frames)

    def stream(self, job_id: str, last_id: str, silent_s: float) -> Iterator[StreamEvent]:
        """See `OverRedis.stream`."""
        query = {"last_id": last_id, "silent": min(silent_s, MAX_SILENT_S)}
        for data in self._api.events(f"{_path(job_id)}/events", query, silent_s=silent_s + _WAIT_S):
            yield _event(data)

    def close(self) -> None:
        self._api.close()


class AsyncOverHttp:
    """Waits, without a thread."""

    def __init__(self, settings: Settings) -> None:
        self._api = AsyncApiClient(settings)

    async def wait(self, job_id: str, timeout_s: float) -> JobResult | None:
        """See `OverHttp.wait`."""
        until = time.monotonic() + timeout_s
        while True:
            wait_s = _next_wait(until)
            result = _result(await self._api.call("GET", _path(job_id), query={"wait": wait_s}, waits_s=wait_s))
            if result is not None or time.monotonic() >= until:
                return result

    async def stream(self, job_id: str, last_id: str, silent_s: float) -> AsyncIterator[StreamEvent]:
        """See `OverRedis.stream`."""
        query = {"last_id": last_id, "silent": min(silent_s, MAX_SILENT_S)}
        async for data in self._api.events(f"{_path(job_id)}/events", query, silent_s=silent_s + _WAIT_S):
            yield _event(data)

    async def close(self) -> None:
        await self._api.close()


def _content(job: Job, stored: dict[str, bytes]) -> dict[str, Any]:
    """JSON with texts, or a form of files, among which texts are such too."""
    parts = [part for item in job.frames for part in item.parts or (Part(medium="image", key=item.frame_id),)]
    if all(part.medium == "text" for part in parts):
        texts = [part.text or stored[str(part.key)].decode() for part in parts]
        return {"json": {"texts": texts, **_fields(job)}}
    fields = {name: json.dumps(value) if name == "options" else value for name, value in _fields(job).items()}
    named = {item.frame_id: item.name or item.frame_id for item in job.frames if not item.parts}
    files = [
        _file(named.get(part.key or "", f"{part.medium}-{number}"), part, stored) for number, part in enumerate(parts)
    ]
    return {"files": [("files", file) for file in files], "data": fields}


def _file(name: str, part: Part, stored: dict[str, bytes]) -> tuple[str, bytes, str]:
    data = stored[part.key] if part.key else (part.text or "").encode()
    return name, data, {"text": "text/plain", "audio": "audio/*", "image": "application/octet-stream"}[part.medium]


def _fields(job: Job) -> dict[str, Any]:
    """What a form says beside its files. Of times only one that was given: the API reads those in the pictures."""
    first = job.frames[0]
    fields: dict[str, Any] = {
        "pipeline": str(job.pipeline),
        "lane": str(job.lane),
        "source_id": first.source_id,
        "sequence": "true" if first.sequence == SUBMITTED else "false",
    }
    if first.time_from == "caller":
        fields["captured_at"] = first.captured_at.isoformat()
    return fields | ({"options": first.options} if first.options else {})


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _next_wait(until: float) -> float:
    return round(max(0.0, min(_WAIT_S, until - time.monotonic())), 3)


def _event(data: str) -> StreamEvent:
    """The results in it are of their pipeline's own type: read as any that fits, they would lose what only it has."""
    given = json.loads(data)
    return StreamEvent.model_validate({**given, "result": _result(given)}, extra="ignore")


def _result(answer: dict[str, Any]) -> JobResult | None:
    """What a newer API says beside is left out."""
    result = answer.get("result")
    return None if result is None else parse_result(result)
