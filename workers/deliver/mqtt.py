"""MQTT: every event on one topic, the last plate of each source on its own, and a sensor for it in Home Assistant.

Topics under the prefix (the path of the sink's URL, else `sightline`): `available` (retained, with a last will),
`events`, `<source>/plate` (retained).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import Sink
from workers.deliver.sender import NotDeliveredError

_QOS = 1
_KEEPALIVE_S = 30


class MqttSender:
    """One connection, kept and made again by paho's own thread. Sent is what the broker has acknowledged."""

    def __init__(self, sink: Sink, timeout_s: float) -> None:
        parts = urlsplit(sink.url.get_secret_value())
        self._address = (parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883))
        self._prefix = unquote(parts.path).strip("/") or "sightline"
        (self._discovery,) = parse_qs(parts.query, keep_blank_values=True).get("discovery", ["homeassistant"])[-1:]
        self._timeout_s = timeout_s
        self._announced: set[str] = set()
        self._newest: dict[str, str] = {}  # of each source: when the plate on its topic was last seen
        self._connected = asyncio.Event()
        self._refusal = ""
        self._loop = asyncio.get_running_loop()
        client_id = f"sightline-{sink.sink_id}-{secrets.token_hex(4)}"
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(f"{self._prefix}/available", "offline", _QOS, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.reconnect_delay_set(1, 10)

    async def open(self) -> None:
        """Be there from the start: without events, too, it is known who is available."""
        self._client.connect_async(*self._address, keepalive=_KEEPALIVE_S)
        self._client.loop_start()

    async def send(self, delivery: DueDelivery) -> None:
        await self._wait_for_connection()
        event = json.dumps({"id": delivery.delivery_id} | delivery.payload)
        publishes = [self._client.publish(f"{self._prefix}/events", event, _QOS)]
        data = delivery.payload["data"]
        if "passage_id" in data:
            publishes += self._publish_plate(data)
        try:
            async with asyncio.timeout(self._timeout_s):
                for publish in publishes:
                    await _acknowledged(publish)
        except TimeoutError as error:
            raise NotDeliveredError(f"not acknowledged within {self._timeout_s:g} s") from error
        except (RuntimeError, ValueError) as error:  # the connection was lost, or paho's queue is full
            raise NotDeliveredError(f"not published: {error}") from error

    async def close(self) -> None:
        if self._client.is_connected():
            # A proper goodbye keeps the broker from publishing the last will.
            self._client.publish(f"{self._prefix}/available", "offline", _QOS, retain=True)
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def _wait_for_connection(self) -> None:
        try:
            await asyncio.wait_for(self._connected.wait(), self._timeout_s)
        except TimeoutError as error:
            host, port = self._address
            raise NotDeliveredError(f"no connection to {host}:{port}{self._refusal}") from error

    def _publish_plate(self, data: dict[str, Any]) -> list[paho.MQTTMessageInfo]:
        source_id = data["source_id"]
        if data["last_seen"] < self._newest.get(source_id, ""):
            return []  # a late one must not stand there as the last plate
        self._newest[source_id] = data["last_seen"]
        plate = {"plate": data["text"], **{name: data[name] for name in _PLATE_FIELDS}}
        topic = f"{self._prefix}/{source_id}/plate"
        return [*self._announce(source_id), self._client.publish(topic, json.dumps(plate), _QOS, retain=True)]

    def _announce(self, source_id: str) -> list[paho.MQTTMessageInfo]:
        """Tell Home Assistant of the sensor, once a source."""
        if not self._discovery or source_id in self._announced:
            return []
        self._announced.add(source_id)
        topic = f"{self._prefix}/{source_id}/plate"
        unique_id = f"{self._prefix}_{source_id}_plate".replace("/", "_").replace(".", "-2e")
        config = {
            "name": "Last plate",
            "unique_id": unique_id,
            "state_topic": topic,
            "value_template": "{{ value_json.plate }}",
            "json_attributes_topic": topic,
            "availability_topic": f"{self._prefix}/available",
            "icon": "mdi:car",
            "device": {"identifiers": [f"{self._prefix}_{source_id}"], "name": source_id, "manufacturer": "Sightline"},
        }
        return [
            self._client.publish(f"{self._discovery}/sensor/{unique_id}/config", json.dumps(config), _QOS, retain=True)
        ]

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._refusal = f": {code}" if code.is_failure else ""
        if not code.is_failure:
            client.publish(f"{self._prefix}/available", "online", _QOS, retain=True)
            self._loop.call_soon_threadsafe(self._connected.set)

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, _code: Any, _properties: Any) -> None:
        self._loop.call_soon_threadsafe(self._connected.clear)


async def _acknowledged(publish: paho.MQTTMessageInfo) -> None:
    pause_s = 0.001
    while not publish.is_published():
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)


#: What Home Assistant shows as attributes of the sensor.
_PLATE_FIELDS = (
    "match", "direction", "state", "origin", "confidence", "passage_id", "first_seen", "last_seen", "reading_count",
    "links",
)  # fmt: skip
