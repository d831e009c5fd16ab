"""What a lane sends with. Each kind of sink has one in a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from sightline.errors import RetryableError, SettingsError, SightlineError
from sightline.settings import Settings
from sightline.wire.events import SinkKind
from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import Sink
from workers.deliver.pictures import Pictures


class NotDeliveredError(RetryableError):
    """The receiver did not take the event. `retry_after_s`: how long it asked to be left alone; 0: it did not say."""

    def __init__(self, message: str, *, retry_after_s: float = 0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class TargetGoneError(SightlineError):
    """The receiver wants no more events, ever."""


class Sender(ABC):
    async def open(self) -> None:  # noqa: B027 - not all have something to open
        """Called once, before anything is sent. Does not wait for the receiver."""

    @abstractmethod
    async def send(self, delivery: DueDelivery) -> None:
        """Return when the receiver has it.

        Raises:
            NotDeliveredError, TargetGoneError
            StoreUnavailableError: the picture that goes with it could not be had.
        """

    async def forget(self) -> None:  # noqa: B027
        """The sink was removed, for good: take back what would stand at the receiver for ever.

        Raises NotDeliveredError: it could not be; nothing else is lost.
        """

    async def close(self) -> None:  # noqa: B027
        """Called once, last."""


def open_sender(sink: Sink, settings: Settings) -> Sender:
    """The sender of this kind of sink.

    Raises:
        SettingsError: what it needs is not installed, or a certificate cannot be read.
    """
    timeout_s = settings.delivery_timeout_s
    pictures = Pictures(settings, sink.options.picture)
    match sink.kind:
        case SinkKind.WEBHOOK:
            from workers.deliver.webhook import WebhookSender

            return WebhookSender(sink, timeout_s, pictures)
        case SinkKind.JSONL:
            from workers.deliver.jsonl import JsonlSender

            return JsonlSender(sink)
        case SinkKind.MQTT:
            try:
                from workers.deliver.mqtt import MqttSender
            except ImportError as error:
                raise SettingsError("MQTT needs paho-mqtt: pip install 'sightline[mqtt]'") from error
            return MqttSender(sink, timeout_s, pictures)
        case SinkKind.KAFKA:
            try:
                from workers.deliver.kafka import KafkaSender
            except ImportError as error:
                raise SettingsError("Kafka needs confluent-kafka: pip install 'sightline[kafka]'") from error
            return KafkaSender(sink, timeout_s)


def with_links(payload: dict[str, Any], public_url: str) -> dict[str, Any]:
    """The payload with its links led to `public_url`."""
    links: dict[str, str] = payload["data"].get("links", {})
    if not public_url or not links:
        return payload
    absolute = {name: public_url.rstrip("/") + path for name, path in links.items()}
    return payload | {"data": payload["data"] | {"links": absolute}}
