"""MQTT: every event on one topic, the last plate of each source on its own, and a sensor for it in Home Assistant.

Topics under the prefix (the path of the sink's URL, else `sightline`): `available` (retained, with a last will),
`events`, `<source>/plate` and, on wish, `<source>/plate/image` (retained). Or those of Frigate.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from sightline.wire.events import SOURCE_ENDED
from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import Sink
from workers.deliver import discovery
from workers.deliver.formats.frigate import FrigateEvents
from workers.deliver.pictures import Pictures
from workers.deliver.sender import NotDeliveredError, Sender
from workers.deliver.tls import tls_context

_QOS = 1
_KEEPALIVE_S = 30
_PREFIXES = {"sightline": "sightline", "frigate": "frigate"}
#: So long a broker may take to tell what it retains.
_RETAINED_S = 1.0


class MqttSender(Sender):
    """One connection, kept and made again by paho's own thread. Sent is what the broker has acknowledged."""

    def __init__(self, sink: Sink, timeout_s: float, pictures: Pictures) -> None:
        parts = urlsplit(sink.url.get_secret_value())
        self._address = (parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883))
        self._prefix = unquote(parts.path).strip("/") or _PREFIXES[sink.options.format]
        (self._discovery,) = parse_qs(parts.query, keep_blank_values=True).get("discovery", ["homeassistant"])[-1:]
        self._timeout_s = timeout_s
        self._pictures = pictures
        self._has_pictures = sink.options.picture != "none"
        self._frigate = FrigateEvents() if sink.options.format == "frigate" else None
        self._announced: set[str] = set()
        self._newest: dict[str, str] = {}  # of each source: when the plate on its topic was last seen
        self._connected = asyncio.Event()
        self._refusal = ""
        self._has_forgotten = False
        self._clearing = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        client_id = f"sightline-{sink.sink_id}-{secrets.token_hex(4)}"
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set_context(tls_context(sink.options))
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
        if delivery.topic == SOURCE_ENDED:
            await self._forget_source(delivery.source_id)
            return
        if self._frigate is not None:
            told = self._frigate.of(delivery.payload).items()
            publishes = [self._publish(f"{self._prefix}/{topic}", json.dumps(event)) for topic, event in told]
        else:
            publishes = await self._publish_event(delivery)
        try:
            async with asyncio.timeout(self._timeout_s):
                for publish in publishes:
                    await _acknowledged(publish)
        except TimeoutError as error:
            raise NotDeliveredError(f"not acknowledged within {self._timeout_s:g} s") from error
        except (RuntimeError, ValueError) as error:  # the connection was lost, or paho's queue is full
            raise NotDeliveredError(f"not published: {error}") from error

    async def _publish_event(self, delivery: DueDelivery) -> list[paho.MQTTMessageInfo]:
        event = json.dumps({"id": delivery.delivery_id} | delivery.payload)
        publishes = [self._publish(f"{self._prefix}/events", event)]
        data = delivery.payload["data"]
        if "passage_id" in data and data["last_seen"] >= self._newest.get(data["source_id"], ""):
            # A late one must not stand there as the last plate.
            picture = await asyncio.to_thread(self._pictures.of, data)
            publishes += self._publish_plate(data, picture)
        return publishes

    async def close(self) -> None:
        if self._client.is_connected() and not self._has_forgotten:
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

    def _publish_plate(self, data: dict[str, Any], picture: bytes | None) -> list[paho.MQTTMessageInfo]:
        source_id = data["source_id"]
        self._newest[source_id] = data["last_seen"]
        plate = {"plate": data["text"], **{name: data.get(name) for name in _PLATE_FIELDS}}
        topic = f"{self._prefix}/{source_id}/plate"
        publishes = [*self._announce(source_id), self._publish(topic, json.dumps(plate), retain=True)]
        if picture is not None:
            publishes.append(self._publish(f"{topic}/image", picture, retain=True))
        return publishes

    def _announce(self, source_id: str) -> list[paho.MQTTMessageInfo]:
        """Tell Home Assistant of the sensor, and of its picture, once a source."""
        if not self._discovery or source_id in self._announced:
            return []
        self._announced.add(source_id)
        found = [discovery.sensor(self._prefix, source_id)]
        if self._has_pictures:
            found.append(discovery.image(self._prefix, source_id))
        return [self._publish(f"{self._discovery}/{topic}", json.dumps(config), retain=True) for topic, config in found]

    def _publish(self, topic: str, content: str | bytes, *, retain: bool = False) -> paho.MQTTMessageInfo:
        return self._client.publish(topic, content, _QOS, retain=retain)

    async def forget(self) -> None:
        """Clear what the broker retains of this sink; it knows what that is: other processes may have said it."""
        await self._wait_for_connection()
        topics = [f"{self._prefix}/available", f"{self._prefix}/+/plate", f"{self._prefix}/+/plate/image"]
        topics += [f"{self._discovery}/{kind}/+/config" for kind in ("sensor", "image") if self._discovery]
        await self._clear(topics)
        self._has_forgotten = True

    async def _forget_source(self, source_id: str) -> None:
        """It has ended: nothing stays of its last plate, nor of the sensor, which its next plate would tell of anew."""
        self._announced.discard(source_id)
        plate = f"{self._prefix}/{source_id}/plate"
        found = [discovery.sensor(self._prefix, source_id), discovery.image(self._prefix, source_id)]
        await self._clear(
            [plate, f"{plate}/image", *(f"{self._discovery}/{topic}" for topic, _ in found if self._discovery)]
        )

    async def _clear(self, topics: list[str]) -> None:
        """Clear what the broker retains on these topics of this sink."""
        async with self._clearing:
            retained: set[str] = set()
            asked = asyncio.Event()

            def note(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
                if message.retain and message.payload and self._is_ours(message):
                    retained.add(message.topic)

            def note_asked(*_: Any) -> None:
                self._loop.call_soon_threadsafe(asked.set)

            self._client.on_message, self._client.on_subscribe = note, note_asked
            self._client.subscribe([(topic, _QOS) for topic in topics])
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), self._timeout_s)
                await asyncio.sleep(_RETAINED_S)
            if not asked.is_set() or not self._connected.is_set():
                raise NotDeliveredError("the broker does not tell what it retains")
            self._client.unsubscribe(topics)
            publishes = [self._publish(topic, b"", retain=True) for topic in sorted(retained)]
            try:
                async with asyncio.timeout(self._timeout_s):
                    for publish in publishes:
                        await _acknowledged(publish)
            except (TimeoutError, RuntimeError, ValueError) as error:
                raise NotDeliveredError(f"retained topics stay: {error}") from error

    def _is_ours(self, message: paho.MQTTMessage) -> bool:
        """Of the sensors of a broker only those that read our topics."""
        if message.topic.startswith(f"{self._prefix}/"):
            return True
        try:
            config = json.loads(message.payload)
        except ValueError:
            return False
        return isinstance(config, dict) and config.get("availability_topic") == f"{self._prefix}/available"

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
    "correction", "links",
)  # fmt: skip
