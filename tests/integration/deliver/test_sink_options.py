"""What one receiver wants otherwise: filters, headers, two secrets, pictures, the formats of other systems, Kafka."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from sightline.blobs.opening import open_frame_store
from sightline.errors import BadMessageError
from sightline.settings import Settings
from storage.database.engine import Database
from storage.passages.plate_lists import add_plates, new_plate
from storage.sinks import deliveries
from storage.sinks.outbox import Outbox
from storage.sinks.sinks import add_sink, change_secret, forget_previous_secret, new_sink, update_sink
from tests.integration.api.uploading import jpeg
from tests.integration.deliver.conftest import delivering, wait_for
from tests.integration.deliver.receiver import verify_from_the_docs
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store

See = Callable[..., None]


class Requests:
    """A server that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, bytes]] = []

    @contextmanager
    def listening(self, context: ssl.SSLContext | None = None) -> Iterator[str]:
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None: ...  # who did not trust it

        with Server(("127.0.0.1", 0), Handler) as server:
            if context is not None:
                server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            yield f"http{'s' * (context is not None)}://127.0.0.1:{server.server_port}/hook"
            server.shutdown()
            thread.join()

    @property
    def texts(self) -> list[str]:
        return [json.loads(body)["data"]["text"] for _, body in self.got]


@pytest.fixture
def requests() -> Requests:
    return Requests()


def sent(database: Database, sink_id: str = "hook") -> int:
    return deliveries.count_deliveries(database)[sink_id].sent


def _due(database: Database, sink_id: str) -> list[deliveries.DueDelivery]:
    later = datetime.now(UTC) + timedelta(hours=1)
    return deliveries.take_due(database, sink_id, limit=99, lease=timedelta(seconds=9), now=later)


def noted(database: Database, sink_id: str = "hook") -> int:
    return deliveries.count_deliveries(database)[sink_id].pending


def test_only_passages_on_a_list_are_told(database: Database, see: See) -> None:
    add_plates(database, [new_plate("deny", "AB12CD"), new_plate("staff", "EF34GH")])
    add_sink(database, new_sink(sink_id="hook", url="http://127.0.0.1:9/", options={"lists": ["deny"]}))
    see("AB12CD")
    see("EF34GH", at_s=100)
    see("LA73XX", at_s=200)
    (row,) = _due(database, "hook")
    assert row.payload["data"]["text"] == "AB12CD"


def test_no_gate_opens_for_the_picture_of_the_doctor(database: Database, see: See) -> None:
    add_sink(database, new_sink(sink_id="gate", url="http://127.0.0.1:9/"))
    add_sink(database, new_sink(sink_id="test", url="http://127.0.0.1:9/", sources=["doctor"]))
    see("MDR4812", source="doctor")
    assert (noted(database, "gate"), noted(database, "test")) == (0, 1)


def test_a_passage_is_told_once_it_is_sure_enough(database: Database) -> None:
    """Its text is the same all the time: it is news only for who waited for it to be sure."""
    for sink_id, least in (("all", 0), ("sure", 0.9)):
        options = {"min_confidence": least}
        add_sink(database, new_sink(sink_id=sink_id, url="http://127.0.0.1:9/", options=options))
    store = open_store(database, 10.0, Outbox(sinks_every_s=0))
    for number in range(6):
        store.store([message(frame_result([("AB12CD", 0.8)], at_s=number / 5))], ())
    to_all, to_sure = (
        [(row.topic, row.payload["data"]["confidence"]) for row in _due(database, sink_id)]
        for sink_id in ("all", "sure")
    )
    assert [topic for topic, _ in to_all] == ["passage.new"]
    assert [topic for topic, _ in to_sure] == ["passage.update"]
    assert to_sure[0][1] >= 0.9


def test_headers_go_with_each_request_and_are_never_shown(
    settings: Settings, database: Database, see: See, requests: Requests
) -> None:
    with requests.listening() as url:
        sink = new_sink(sink_id="hook", url=url, options={"headers": {"Authorization": "Bearer s3cret"}})
        assert "s3cret" not in f"{add_sink(database, sink)!r} {sink.model_dump_json()}"
        see("AB12CD")
        with delivering(settings, database):
            wait_for(lambda: sent(database) == 1)
    ((headers, _),) = requests.got
    assert headers["authorization"] == "Bearer s3cret"


def test_while_a_secret_is_changed_both_sign(
    settings: Settings, database: Database, see: See, requests: Requests
) -> None:
    verify = verify_from_the_docs()
    with requests.listening() as url:
        sink = add_sink(database, new_sink(sink_id="hook", url=url))
        assert sink.secret is not None
        old, new = sink.secret.get_secret_value(), change_secret(database, "hook")
        see("AB12CD")
        with delivering(settings, database):
            wait_for(lambda: sent(database) == 1)
        forget_previous_secret(database, "hook")
        see("EF34GH", at_s=100)
        with delivering(settings, database):
            wait_for(lambda: sent(database) == 2)
    (both, first), (one, second) = requests.got
    assert verify(old, both, first) == verify(new, both, first)
    assert verify(new, one, second)["data"]["text"] == "EF34GH"
    with pytest.raises(ValueError, match="signature"):
        verify(old, one, second)


@pytest.mark.parametrize("wanted", ["crop", "frame"])
def test_a_picture_goes_along(settings: Settings, database: Database, requests: Requests, wanted: str) -> None:
    store = open_store(database, 10.0, Outbox(sinks_every_s=0))
    with requests.listening() as url:
        add_sink(database, new_sink(sink_id="hook", url=url, options={"picture": wanted}))
        for at_s, is_kept in ((0, True), (100, False)):
            result = frame_result(["AB12CD"], at_s=at_s)
            if is_kept:
                kept = open_frame_store(settings.picture_store_url, ttl_s=None)
                kept.put_many({result.frame.frame_id: jpeg(width=1280, height=720)})
            store.store([message(result)], ())
        with delivering(settings, database):
            wait_for(lambda: sent(database) == 2)
    first, second = (json.loads(body)["data"] for _, body in requests.got)
    image = cv2.imdecode(np.frombuffer(b64decode(first["picture"]), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    left, top, right, bottom = first["best_xyxy"]
    beside, above = 0.15 * (right - left), 0.15 * (bottom - top)
    around = bottom + above - max(0, top - above), right + beside - max(0, left - beside)
    size = (720, 1280) if wanted == "frame" else around
    assert image.shape[:2] == pytest.approx(size, abs=2)
    assert "picture" not in second


def test_plate_recognizers_webhook_is_read_as_its_receivers_do(
    settings: Settings, database: Database, requests: Requests
) -> None:
    """With a picture it is a form of `json` and `upload`, else JSON."""
    store = open_store(database, 10.0, Outbox(sinks_every_s=0))
    with requests.listening() as url:
        options = {"format": "plate-recognizer", "picture": "frame"}
        add_sink(database, new_sink(sink_id="hook", url=url, events=["passage.new"], options=options))
        result = frame_result(["AB12CD"])
        open_frame_store(settings.picture_store_url, ttl_s=None).put_many({result.frame.frame_id: jpeg()})
        store.store([message(result), message(frame_result(["EF34GH"], at_s=100))], ())
        with delivering(settings, database):
            wait_for(lambda: sent(database) == 2)
    (headers, form), (_, plain) = requests.got
    parts = message_from_bytes(b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + form)
    fields = {part.get_param("name", header="content-disposition"): part for part in parts.walk()}
    body = json.loads(str(fields["json"].get_payload()))
    assert fields["upload"].get_filename() == body["data"]["filename"] == f"{result.frame.frame_id}.jpg"
    (found,) = body["data"]["results"]
    assert (body["hook"]["id"], body["data"]["camera_id"], found["plate"]) == ("gate", "gate", "ab12cd")
    assert found.keys() >= {"box", "region", "score", "candidates", "dscore", "vehicle", "direction"}
    assert found["candidates"][0]["plate"] == "ab12cd"
    assert body["data"]["timestamp"].endswith("Z")
    assert json.loads(plain)["data"]["results"][0]["plate"] == "ef34gh"


@pytest.fixture
def kafka() -> Iterator[str]:
    """The cluster that librdkafka brings for tests."""
    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    cluster.flush(1)


def test_kafka_gets_each_event_once_keyed_by_its_source(
    settings: Settings, database: Database, see: See, kafka: str
) -> None:
    add_sink(database, new_sink(sink_id="stream", url=f"kafka://{kafka}/plates", events=["passage.new"]))
    see("AB12CD")
    see("EF34GH", at_s=5, source="yard")
    slow = settings.model_copy(update={"delivery_timeout_s": 10.0})
    with delivering(slow, database):
        wait_for(lambda: sent(database, "stream") == 2)
        assert "plates" in AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
        consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test", "auto.offset.reset": "earliest"})
        consumer.subscribe(["plates"])
        heard: list[Any] = []
        wait_for(lambda: len(heard.append(m) or heard if (m := consumer.poll(0.5)) else heard) == 2)
        consumer.close()
    told = {one.key().decode(): json.loads(one.value()) for one in heard}
    assert {source: event["data"]["text"] for source, event in told.items()} == {"gate": "AB12CD", "yard": "EF34GH"}
    assert {dict(one.headers())["id"].decode() for one in heard} == {event["id"] for event in told.values()}


def test_a_kafka_that_is_not_there_is_said_and_nothing_is_lost(
    settings: Settings, database: Database, see: See
) -> None:
    add_sink(database, new_sink(sink_id="stream", url="kafka://127.0.0.1:9/plates"))
    see("AB12CD")
    with delivering(settings, database):
        error = wait_for(lambda: deliveries.count_deliveries(database)["stream"].last_error)
    assert "127.0.0.1:9" in error or "timed out" in error.lower()
    assert noted(database, "stream") == 1


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("mqtt://h/", {"format": "plate-recognizer"}, "format: plate-recognizer is one of webhook sinks"),
        ("http://h/", {"format": "frigate"}, "format: frigate is one of mqtt sinks"),
        ("mqtt://h/", {"headers": {"A": "b"}}, "headers: webhooks have such"),
        ("http://h/", {"headers": {"webhook-id": "b"}}, "webhook-id: said by Sightline itself"),
        ("http://h/", {"headers": {"A": "b\r\nC: d"}}, "printable"),
        ("http://h/", {"ca_file": "ca.pem"}, "ca_file, cert_file: for https"),
        ("http://h/", {"key_file": "key.pem"}, "key_file: of which certificate"),
        ("http://h/", {"picture": "all"}, "picture"),
        ("http://h/", {"min_confidence": 2}, "min_confidence"),
        ("kafka://h/", {}, "kafka"),
        ("kafka://h/a b", {}, "kafka"),
    ],
)
def test_what_a_sink_cannot_do_is_refused(url: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadMessageError, match=said):
        new_sink(sink_id="hook", url=url, options=options)


def test_an_option_is_changed_alone_and_ended_by_null(database: Database) -> None:
    options = {"headers": {"A": "secret"}, "lists": ["deny"]}
    add_sink(database, new_sink(sink_id="hook", url="http://h/", options=options))
    changed = update_sink(database, "hook", options={"min_confidence": 0.5})
    assert changed.options.headers["A"].get_secret_value() == "secret"
    assert (changed.options.lists, changed.options.min_confidence) == (("deny",), 0.5)
    assert update_sink(database, "hook", options={"lists": None}).options.lists == ()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_https_with_a_certificate_of_ones_own(
    settings: Settings, database: Database, see: See, requests: Requests, tmp_path: Path
) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with requests.listening(context) as url:
        add_sink(database, new_sink(sink_id="hook", url=url))
        see("AB12CD")
        with delivering(settings, database):
            error = wait_for(lambda: deliveries.count_deliveries(database)["hook"].last_error)
            assert "certificate" in error.lower()
            update_sink(database, "hook", options={"ca_file": str(cert)})
            wait_for(lambda: sent(database) == 1)
    assert requests.texts == ["AB12CD"]
