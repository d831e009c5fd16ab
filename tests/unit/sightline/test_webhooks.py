"""Signatures, breaker and back-off, and what a sink may be."""

from __future__ import annotations

import pytest

from sightline.errors import BadMessageError
from sightline.webhooks import new_secret, secret_bytes, sign
from sightline.wire.events import Event, SinkKind
from storage.sinks.sinks import new_sink
from workers.deliver.breaker import Breaker, backoff_s


def test_the_example_of_the_standard() -> None:
    """From the specification's own libraries."""
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_", "whsec_hunter2!", "whsec_aGVsbG8=", "whsec_" + "A" * 400])
def test_a_wrong_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(BadMessageError, match="24 to 64 bytes") as caught:
        secret_bytes(secret)
    assert "hunter2" not in str(caught.value)
    assert len(secret_bytes(new_secret())) == 32
    assert new_secret() != new_secret()


@pytest.mark.parametrize(
    ("url", "kind", "shown"),
    [
        ("http://10.0.0.9:8123/api/webhook/abc", SinkKind.WEBHOOK, "http://10.0.0.9:8123/***"),
        ("https://user:pw@host/?token=1", SinkKind.WEBHOOK, "https://host/***"),
        ("http://[::1]:80", SinkKind.WEBHOOK, "http://[::1]:80"),
        ("mqtts://user:pw@broker/site", SinkKind.MQTT, "mqtts://***@broker/site"),
        ("file:///data/events", SinkKind.JSONL, "file:///data/events"),
    ],
)
def test_the_kind_follows_from_the_url_and_secrets_are_hidden(url: str, kind: SinkKind, shown: str) -> None:
    sink = new_sink(sink_id="one", url=url)
    assert (sink.kind, sink.shown_url) == (kind, shown)
    assert (sink.secret is not None) == (kind is SinkKind.WEBHOOK)
    for text in (repr(sink), sink.redact(f"trouble with {url}")):
        assert "pw" not in text
        assert "abc" not in text
        assert "whsec" not in text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "ftp://hunter2@host/",
        "http://",
        "http:///x",
        "http://hunter2@host:99999/",
        "http://host:0/",
        "http://ho st/hunter2",
        "https://host/#hunter2",
        "mqtt://",
        "mqtt://host/a+b",
        "mqtt://host/a%23",
        "mqtt://host/a?discovery=%23",
        "file://host/x",
        "file:relative",
        "file:///a/../etc",
        "x" * 5000,
    ],
)
def test_a_wrong_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadMessageError, match="url") as caught:
        new_sink(sink_id="one", url=url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"events": []}, {"events": ["passage"]}, {"sources": ["a/b"]}, {"sink_id": "a/b"}, {"surprise": 1}]
)
def test_a_wrong_field_is_named(change: dict[str, object]) -> None:
    with pytest.raises(BadMessageError, match=next(iter(change))):
        new_sink(**{"sink_id": "one", "url": "http://host/", "events": [Event.FRAME_DEAD]} | change)


def test_the_breaker_opens_probes_ever_later_and_closes() -> None:
    now = 0.0
    breaker = Breaker(threshold=3, first_s=1, max_s=8, clock=lambda: now)
    for _ in range(2):
        breaker.failed()
    assert (breaker.wait_s, breaker.is_probing) == (0, False)
    longest = 0.0
    for expected_s in (1, 2, 4, 8, 8):
        breaker.failed()
        assert breaker.is_probing
        assert expected_s / 2 <= breaker.wait_s <= expected_s
        longest = max(longest, breaker.wait_s)
        now += breaker.wait_s
        assert breaker.wait_s == 0
    breaker.succeeded()
    assert (breaker.wait_s, breaker.is_probing) == (0, False)


def test_a_receiver_is_left_alone_as_long_as_it_asks_for_but_not_forever() -> None:
    now = 0.0
    breaker = Breaker(clock=lambda: now)
    breaker.failed(retry_after_s=30)
    assert breaker.wait_s == 30
    breaker.failed(retry_after_s=5)
    assert breaker.wait_s == 30
    breaker.failed(retry_after_s=1e9)
    assert breaker.wait_s == 3600


def test_pauses_double_up_to_the_longest() -> None:
    assert [2 ** (n - 1) / 2 <= backoff_s(n, 1, 3600) <= 2 ** (n - 1) for n in range(1, 12)] == [True] * 11
    assert 1800 <= backoff_s(500, 1, 3600) <= 3600
    assert len({backoff_s(5, 1, 3600) for _ in range(10)}) > 1
