"""Webhooks, as Standard Webhooks has them: signed, and with an id by which the receiver knows what it had before."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from http import HTTPStatus
from typing import Any, Final

import httpx

import sightline
from sightline.webhooks import sign
from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import Sink
from workers.deliver.formats.plate_recognizer import recognition
from workers.deliver.pictures import Pictures
from workers.deliver.sender import NotDeliveredError, Sender, TargetGoneError
from workers.deliver.tls import tls_context

_MAX_ANSWER_BYTES: Final = 65_536
_ASKED_TO_WAIT: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class WebhookSender(Sender):
    """One `POST` an event. Any 2xx within the time-out means that the receiver has it; redirects are not followed."""

    def __init__(self, sink: Sink, timeout_s: float, pictures: Pictures) -> None:
        assert sink.secret is not None  # `new_sink` gives every webhook one
        self._sink = sink
        self._url = sink.url.get_secret_value()
        previous = sink.options.previous_secret
        self._secrets = [secret.get_secret_value() for secret in (sink.secret, previous) if secret]
        self._timeout_s = timeout_s
        self._pictures = pictures
        self._client = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            verify=tls_context(sink.options),
            headers={"user-agent": f"Sightline/{sightline.__version__}"}
            | {name: value.get_secret_value() for name, value in sink.options.headers.items()},
        )

    async def send(self, delivery: DueDelivery) -> None:
        request = await self._request(delivery)
        try:
            # httpx limits each read; a receiver that dribbles must not hold us longer.
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.send(request, stream=True)
                try:
                    status, retry_after = response.status_code, response.headers.get("retry-after", "")
                    await _read_short(response)
                finally:
                    await response.aclose()
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

    async def _request(self, delivery: DueDelivery) -> httpx.Request:
        """Signed with each secret that the receiver may check with."""
        picture = await asyncio.to_thread(self._pictures.of, delivery.payload["data"])
        try:
            request = self._client.build_request("POST", self._url, **self._content(delivery.payload, picture))
        except httpx.InvalidURL as error:
            raise NotDeliveredError(self._sink.redact(f"{type(error).__name__}: {error}")) from error
        body, timestamp = request.read(), int(time.time())
        signatures = [sign(secret, delivery.delivery_id, timestamp, body) for secret in self._secrets]
        request.headers["webhook-id"] = delivery.delivery_id
        request.headers["webhook-timestamp"] = str(timestamp)
        request.headers["webhook-signature"] = " ".join(signatures)
        if traceparent := delivery.payload.get("traceparent"):
            request.headers["traceparent"] = traceparent
        return request

    def _content(self, payload: dict[str, Any], picture: bytes | None) -> dict[str, Any]:
        if self._sink.options.format == "plate-recognizer":
            body = recognition(payload, self._sink.shown_url)
            if picture is not None:
                upload = (body["data"]["filename"], picture, "image/jpeg")
                return {"data": {"json": json.dumps(body)}, "files": {"upload": upload}}
            return {"json": body}
        if picture is not None:
            payload = payload | {"data": payload["data"] | {"picture": b64encode(picture).decode()}}
        text = json.dumps(payload, separators=(",", ":"))
        return {"content": text.encode(), "headers": {"content-type": "application/json"}}

    async def close(self) -> None:
        await self._client.aclose()


async def _read_short(response: httpx.Response) -> None:
    """Only a connection whose answer was read can be used again; a long answer is not worth it."""
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > _MAX_ANSWER_BYTES:
            return
