"""Webhooks, as Standard Webhooks has them: signed, and with an id by which the receiver knows what it had before."""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus
from typing import Final

import httpx

import sightline
from sightline.webhooks import sign
from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import Sink
from workers.deliver.sender import NotDeliveredError, TargetGoneError

_MAX_ANSWER_BYTES: Final = 65_536
_ASKED_TO_WAIT: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class WebhookSender:
    """One `POST` an event. Any 2xx within the time-out means that the receiver has it; redirects are not followed."""

    def __init__(self, sink: Sink, timeout_s: float) -> None:
        assert sink.secret is not None  # `new_sink` gives every webhook one
        self._sink = sink
        self._secret = sink.secret.get_secret_value()
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            headers={"user-agent": f"Sightline/{sightline.__version__}", "content-type": "application/json"},
        )

    async def open(self) -> None:
        pass

    async def send(self, delivery: DueDelivery) -> None:
        body = json.dumps(delivery.payload, separators=(",", ":")).encode()
        timestamp = int(time.time())
        headers = {
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, delivery.delivery_id, timestamp, body),
        }
        try:
            # httpx limits each read; a receiver that dribbles must not hold us longer.
            async with asyncio.timeout(self._timeout_s):
                url = self._sink.url.get_secret_value()
                async with self._client.stream("POST", url, content=body, headers=headers) as response:
                    status, retry_after = response.status_code, response.headers.get("retry-after", "")
                    await _read_short(response)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NotDeliveredError(f"no answer within {self._timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotDeliveredError(self._sink.redact(f"{type(error).__name__}: {error}")) from error
        if httpx.codes.is_success(status):
            return
        answer = f"answered {status} {httpx.codes.get_reason_phrase(status)}".rstrip()
        if status == HTTPStatus.GONE:
            raise TargetGoneError(answer)
        waits = status in _ASKED_TO_WAIT and retry_after.isdigit()
        raise NotDeliveredError(answer, retry_after_s=float(retry_after[:9]) if waits else 0)

    async def close(self) -> None:
        await self._client.aclose()


async def _read_short(response: httpx.Response) -> None:
    """Only a connection whose answer was read can be used again; a long answer is not worth it."""
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > _MAX_ANSWER_BYTES:
            return
