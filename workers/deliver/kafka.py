"""Kafka: one message an event on one topic, keyed by its source, so that those of a source stay in order.

`kafka://user:password@host:port/topic`, or `kafkas://` with TLS. A user logs in by SASL's SCRAM-SHA-512; `?sasl=PLAIN`
takes another mechanism.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from confluent_kafka import KafkaException, Producer

from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import Sink
from workers.deliver.sender import NotDeliveredError, Sender

_POLL_S = 0.05


class KafkaSender(Sender):
    """Sent is what all replicas in sync have; librdkafka sees to it that a message it sends again is there once."""

    def __init__(self, sink: Sink, timeout_s: float) -> None:
        parts = urlsplit(sink.url.get_secret_value())
        self._topic = unquote(parts.path).strip("/")
        self._timeout_s = timeout_s
        self._sink = sink
        self._config = _config(sink, timeout_s)
        self._producer: Producer | None = None
        self._refusal = ""

    async def open(self) -> None:
        self._producer = Producer(self._config | {"error_cb": self._on_error})

    async def send(self, delivery: DueDelivery) -> None:
        assert self._producer is not None
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Any] = loop.create_future()

        def on_delivery(error: Any, _message: Any) -> None:
            loop.call_soon_threadsafe(lambda: told.done() or told.set_result(error))

        body = json.dumps({"id": delivery.delivery_id} | delivery.payload).encode()
        headers: dict[str, str | bytes | None] = {"id": delivery.delivery_id}
        try:
            self._producer.produce(
                self._topic, body, delivery.source_id.encode() or None, headers=headers, on_delivery=on_delivery
            )
        except (BufferError, KafkaException) as error:
            raise NotDeliveredError(f"not sent: {error}") from error
        until = loop.time() + self._timeout_s + 1  # librdkafka gives up after the time-out itself
        while not told.done() and loop.time() < until:
            await asyncio.to_thread(self._producer.poll, _POLL_S)
            await asyncio.sleep(0)
        if not told.done():
            raise NotDeliveredError(f"not acknowledged within {self._timeout_s:g} s{self._refusal}")
        if error := told.result():
            raise NotDeliveredError(f"not taken: {error.str()}{self._refusal}")
        self._refusal = ""

    async def close(self) -> None:
        if self._producer is not None:
            await asyncio.to_thread(self._producer.flush, self._timeout_s)

    def _on_error(self, error: Any) -> None:
        self._refusal = f" ({self._sink.redact(error.str())})"


def _config(sink: Sink, timeout_s: float) -> dict[str, Any]:
    parts = urlsplit(sink.url.get_secret_value())
    uses_tls, options = parts.scheme == "kafkas", sink.options
    config: dict[str, Any] = {
        "bootstrap.servers": f"{parts.hostname}:{parts.port or (9093 if uses_tls else 9092)}",
        "security.protocol": ("SASL_" if parts.username else "") + ("SSL" if uses_tls else "PLAINTEXT"),
        "client.id": f"sightline-{sink.sink_id}",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 0,
        "delivery.timeout.ms": int(timeout_s * 1000),
        "request.timeout.ms": int(timeout_s * 1000),
        "log_level": 0,  # what is wrong comes as an error
    }
    if parts.username:
        (mechanism,) = parse_qs(parts.query).get("sasl", ["SCRAM-SHA-512"])[-1:]
        config |= {
            "sasl.mechanism": mechanism,
            "sasl.username": unquote(parts.username),
            "sasl.password": unquote(parts.password or ""),
        }
    files = {
        "ssl.ca.location": options.ca_file,
        "ssl.certificate.location": options.cert_file,
        "ssl.key.location": options.key_file,
    }
    return config | {name: path for name, path in files.items() if path}
