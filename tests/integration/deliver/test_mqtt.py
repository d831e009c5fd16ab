"""MQTT to a real mosquitto: events, the last plate, Home Assistant's sensor, and who is there."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import SecretStr

from sightline.blobs.opening import open_frame_store
from sightline.settings import Settings
from sightline.wire.events import SOURCE_ENDED, Event
from storage.cameras import Camera, add_camera, remove_camera
from storage.database.engine import Database
from storage.passages.plate_lists import add_plates, new_plate
from storage.results.queries import list_passages
from storage.retention.erasure import erase_passage, erase_source
from storage.sinks import deliveries
from storage.sinks.deliveries import DueDelivery
from storage.sinks.outbox import Outbox
from storage.sinks.sinks import add_sink, new_sink, remove_sink, update_sink
from tests.conftest import free_port
from tests.integration.api.uploading import jpeg
from tests.integration.deliver.conftest import delivering, start_process, wait_for
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store
from workers.deliver.mqtt import MqttSender
from workers.deliver.pictures import Pictures
from workers.deliver.sender import NotDeliveredError

See = Callable[..., None]
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Broker:
    """A mosquitto with a password, and a client that listens to everything."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.heard: list[tuple[str, str, bool]] = []  #: topic, content, whether it was retained
        self.stop: Callable[[], None]  #: it answers nothing any more, and its connections stay
        passwords = folder / "passwords"
        tool = shutil.which("mosquitto_passwd")
        assert tool is not None
        subprocess.run([tool, "-b", "-c", passwords, "sightline", "p@ss"], check=True, capture_output=True)
        lines = [f"listener {self.port} 127.0.0.1", f"user {getpass.getuser()}", f"password_file {passwords}"]
        # What is acknowledged reaches the listener, even if one of them is stopped in between.
        lines += ["persistence true", f"persistence_location {folder}/"]
        (folder / "conf").write_text("\n".join(lines))

    @property
    def url(self) -> str:
        return f"mqtt://sightline:p%40ss@127.0.0.1:{self.port}/site/one"

    def topics(self, topic: str) -> list[Any]:
        return [content for of, content, _ in list(self.heard) if of == topic]

    @contextmanager
    def running(self) -> Iterator[None]:
        assert PROGRAM is not None
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([PROGRAM, "-c", self.folder / "conf"], stdout=log, stderr=log)
        try:
            with self.listening(client_id="listener"):
                self.stop = partial(process.send_signal, signal.SIGSTOP)
                yield
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(10)

    @contextmanager
    def listening(self, client_id: str = "") -> Iterator[None]:
        """With an id, the broker keeps what comes while it is away."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not client_id)
        client.username_pw_set("sightline", "p@ss")
        ready = threading.Event()
        client.on_connect = lambda client, *_: client.subscribe("#", 1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = lambda _client, _data, m: self.heard.append(
            (m.topic, m.payload.decode("latin-1"), m.retain)
        )
        until = time.monotonic() + 10
        while True:
            try:
                client.connect("127.0.0.1", self.port)
                break
            except OSError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)
        client.loop_start()
        assert ready.wait(10)
        try:
            yield
        finally:
            client.disconnect()
            client.loop_stop()


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    if PROGRAM is None:
        message = "no mosquitto: apt-get install mosquitto"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return Broker(tmp_path_factory.mktemp("mosquitto"))


@pytest.fixture
def quick(settings: Settings, database: Database, broker: Broker) -> Settings:
    add_sink(database, new_sink(sink_id="home", url=broker.url))
    return settings.model_copy(update={"delivery_timeout_s": 3.0})


def sent(database: Database) -> int:
    return deliveries.count_deliveries(database)["home"].sent


def test_events_the_last_plate_and_a_sensor_for_it(
    quick: Settings, database: Database, broker: Broker, see: See
) -> None:
    add_plates(database, [new_plate("deny", "AB12CD")])
    see("AB12CD", at_s=100)
    see("EF34GH", at_s=0, source="yard.2")
    with broker.running():
        with delivering(quick, database):
            wait_for(lambda: sent(database) == 2)
            see("LA73XX", at_s=50)  # stored after a later one
            wait_for(lambda: sent(database) == 3)
            assert broker.topics("site/one/available") == ["online"]
        wait_for(lambda: broker.topics("site/one/available") == ["online", "offline"])
        events = [json.loads(content) for content in broker.topics("site/one/events")]
        assert sorted(event["data"]["text"] for event in events) == ["AB12CD", "EF34GH", "LA73XX"]
        assert len({event["id"] for event in events}) == 3
        (plate,) = [json.loads(content) for content in broker.topics("site/one/gate/plate")]
        assert (plate["plate"], plate["reading_count"]) == ("AB12CD", 1)
        assert (plate["direction"], plate["state"]) == ("unknown", "open")
        assert plate["match"] == {
            "list": "deny", "matched": "AB12CD", "distance": 0.0, "text": "AB12CD", "by": "vote"
        }  # fmt: skip
        (config,) = [
            json.loads(c) for topic, c, _ in broker.heard if topic.startswith("homeassistant/") and "gate" in topic
        ]
        assert (config["state_topic"], config["availability_topic"]) == ("site/one/gate/plate", "site/one/available")
        assert "value_json.plate" in config["value_template"]
        assert config["unique_id"] == "site_one_gate_plate"
        # Who comes later finds the state, and no old events.
        broker.heard.clear()
        with broker.listening():
            wait_for(lambda: len(broker.heard) >= 5)
        assert {topic for topic, _, retained in broker.heard if retained} == {
            "site/one/available",
            "site/one/gate/plate",
            "site/one/yard.2/plate",
            "homeassistant/sensor/site_one_gate_plate/config",
            "homeassistant/sensor/site_one_yard-2e2_plate/config",
        }


def test_a_broker_that_was_away_gets_everything(quick: Settings, database: Database, broker: Broker, see: See) -> None:
    quick = quick.model_copy(update={"delivery_timeout_s": 0.3})
    texts = [f"AB{10 + index}CD" for index in range(15)]
    see(texts[0])
    with ExitStack() as stack:
        with broker.running():
            stack.enter_context(delivering(quick, database))
            wait_for(lambda: sent(database) == 1)
        for index, text in enumerate(texts[1:], 1):
            see(text, at_s=index * 20)
        wait_for(lambda: deliveries.count_deliveries(database)["home"].last_error)
        with broker.running():
            wait_for(lambda: sent(database) == 15)
            wait_for(lambda: len(set(broker.topics("site/one/events"))) == 15)
    events = [json.loads(content) for content in broker.topics("site/one/events")]
    assert {event["data"]["text"] for event in events} == set(texts)


def test_the_broker_says_when_the_process_died(quick: Settings, database: Database, broker: Broker, see: See) -> None:
    see("AB12CD")
    with broker.running():
        process = start_process(quick)
        wait_for(lambda: sent(database) == 1)
        process.kill()
        process.wait()
        wait_for(lambda: broker.topics("site/one/available") == ["online", "offline"])


def test_it_is_available_before_anything_happens_and_after_a_change(
    quick: Settings, database: Database, broker: Broker
) -> None:
    with broker.running(), delivering(quick, database):
        wait_for(lambda: broker.topics("site/one/available") == ["online"])
        update_sink(database, "home", events=[Event.FRAME_DEAD])
        wait_for(lambda: broker.topics("site/one/available") == ["online", "offline", "online"])


def test_a_wrong_password_is_said(quick: Settings, database: Database, broker: Broker, see: See) -> None:
    add_sink(database, new_sink(sink_id="wrong", url=broker.url.replace("p%40ss", "hunter2")))
    quick = quick.model_copy(update={"delivery_timeout_s": 0.3})
    see("AB12CD")
    with broker.running(), delivering(quick, database):
        error = wait_for(lambda: deliveries.count_deliveries(database)["wrong"].last_error)
        wait_for(lambda: "Not authorized" in str(deliveries.count_deliveries(database)["wrong"].last_error))
    assert "hunter2" not in error


def test_what_was_retained_goes_with_the_sink(quick: Settings, database: Database, broker: Broker, see: See) -> None:
    """Of this sink alone: others have sensors on the same broker."""
    other = f"mqtt://sightline:p%40ss@127.0.0.1:{broker.port}/site/two"
    add_sink(database, new_sink(sink_id="second", url=other))
    see("AB12CD")
    see("EF34GH", source="yard.2")
    with broker.running():
        with delivering(quick, database):
            wait_for(lambda: sent(database) == 2 and deliveries.count_deliveries(database)["second"].sent == 2)
        update_sink(database, "home", enabled=False)  # one that is paused, by another process than the one before
        with delivering(quick, database):
            wait_for(lambda: "online" in broker.topics("site/two/available")[-1:])
            remove_sink(database, "home")
            wait_for(lambda: "" in broker.topics("site/one/gate/plate"))
        broker.heard.clear()
        with broker.listening():
            wait_for(lambda: broker.topics("site/two/available"))
            retained = {topic for topic, content, _ in broker.heard if content}
    assert {topic for topic in retained if "site/one" in topic or "site_one" in topic} == set()
    assert {"site/two/gate/plate", "site/two/yard.2/plate"} <= retained


def test_what_was_retained_of_a_source_goes_with_it(
    quick: Settings, database: Database, broker: Broker, see: See
) -> None:
    """Of a camera that is removed and of data that is erased, also while the broker is away; others stay."""
    add_camera(database, Camera(camera_id="gate", url=SecretStr("rtsp://127.0.0.1/1")))
    for text, source in (("AB12CD", "gate"), ("EF34GH", "yard.2"), ("KA55CD", "lane"), ("MN78OP", "stays")):
        see(text, source=source)
    (of_lane,) = list_passages(database, source="lane").items
    with broker.running(), delivering(quick, database):
        wait_for(lambda: sent(database) == 4)
    pictures = open_frame_store(quick.picture_store_url, ttl_s=None)
    remove_camera(database, "gate")
    assert erase_source(database, pictures, "yard.2") is not None
    assert erase_passage(database, pictures, of_lane.passage_id) is not None
    broker.heard.clear()
    with broker.running(), delivering(quick, database):
        wait_for(lambda: sent(database) == 7)
        with broker.listening():
            wait_for(lambda: any("stays/plate" in topic for topic, _, retained in broker.heard if retained))
        cleared = {topic for topic, content, _ in broker.heard if not content}
        assert {"site/one/gate/plate", "homeassistant/sensor/site_one_gate_plate/config"} <= cleared
        assert {"site/one/yard.2/plate", "site/one/lane/plate"} <= cleared
        assert not any("stays" in topic for topic in cleared)
        see("AB99CD", at_s=500)  # it goes on elsewhere
        wait_for(lambda: any(broker.topics("homeassistant/sensor/site_one_gate_plate/config")))
        wait_for(lambda: deliveries.count_deliveries(database)["home"].pending == 1)  # the camera's, once more
    add_camera(database, Camera(camera_id="gate", url=SecretStr("rtsp://127.0.0.1/1")))
    assert deliveries.count_deliveries(database)["home"].pending == 0


def test_what_a_broker_did_not_tell_is_not_cleared(quick: Settings, database: Database, broker: Broker) -> None:
    """One that is slow has not said that it retains nothing: the order to clear it is tried again."""
    payload = {"type": SOURCE_ENDED, "data": {"source_id": "gate"}}
    [(sink, _)] = deliveries.due_sinks(database, datetime.now(UTC))

    async def clear() -> None:
        sender = MqttSender(sink, 1.5, Pictures(quick, "none"))
        await sender.open()
        try:
            await sender.send(DueDelivery("1", SOURCE_ENDED, payload, 1))
            broker.stop()
            with pytest.raises(NotDeliveredError, match="does not tell what it retains"):
                await sender.send(DueDelivery("2", SOURCE_ENDED, payload, 1))
        finally:
            await sender.close()

    with broker.running():
        asyncio.run(clear())


def test_home_assistant_finds_the_picture(quick: Settings, database: Database, broker: Broker) -> None:
    update_sink(database, "home", options={"picture": "crop"})
    result = frame_result(["AB12CD"])
    picture = jpeg(width=1280, height=720)
    open_frame_store(quick.picture_store_url, ttl_s=None).put_many({result.frame.frame_id: picture})
    open_store(database, 10.0, Outbox(sinks_every_s=0)).store([message(result)], ())
    with broker.running(), delivering(quick, database):
        wait_for(lambda: sent(database) == 1)
        wait_for(lambda: broker.topics("site/one/gate/plate/image"))
    assert broker.topics("site/one/gate/plate/image")[0].startswith("\xff\xd8")
    (config,) = map(json.loads, broker.topics("homeassistant/image/site_one_gate_plate_image/config"))
    assert config["image_topic"] == "site/one/gate/plate/image"


def test_frigates_topics(quick: Settings, database: Database, broker: Broker, see: See) -> None:
    add_plates(database, [new_plate("staff", "AB12CD")])
    remove_sink(database, "home")
    url = f"mqtt://sightline:p%40ss@127.0.0.1:{broker.port}"
    add_sink(database, new_sink(sink_id="home", url=url, options={"format": "frigate"}))
    see("AB12CD")
    with broker.running(), delivering(quick.model_copy(update={"passage_gap_s": 0.5}), database):
        wait_for(lambda: len(broker.topics("frigate/events")) == 2)
        (update, *_) = map(json.loads, broker.topics("frigate/tracked_object_update"))
    new, end = map(json.loads, broker.topics("frigate/events"))
    assert (new["type"], end["type"]) == ("new", "end")
    assert new["after"]["end_time"] is None
    assert end["before"] == new["after"]
    assert end["after"]["end_time"] == end["after"]["frame_time"]
    assert (new["after"]["camera"], new["after"]["label"]) == ("gate", "car")
    assert new["after"]["sub_label"][0] == new["after"]["recognized_license_plate"] == "AB12CD"
    assert (update["type"], update["plate"], update["name"]) == ("lpr", "AB12CD", "AB12CD")
