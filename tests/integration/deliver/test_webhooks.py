"""Webhooks to a real server that is down, slow, broken or gone: each event is acted on once and none is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sightline.settings import Settings
from sightline.wire.events import Event
from storage.database.engine import Database
from storage.sinks import deliveries
from storage.sinks.deliveries import SinkCounts
from storage.sinks.outbox import finalize_passages
from storage.sinks.sinks import Sink, add_sink, get_sink, new_sink, update_sink
from tests.conftest import free_port
from tests.integration.deliver.conftest import delivering, start_process, wait_for
from tests.integration.deliver.receiver import Receiver

See = Callable[..., None]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def hook(database: Database, port: int) -> Sink:
    url = f"http://user:hunter2@127.0.0.1:{port}/hook/token-in-the-path"
    return add_sink(database, new_sink(sink_id="hook", url=url, events=[Event.PASSAGE_NEW]))


@pytest.fixture
def receiver(hook: Sink) -> Receiver:
    assert hook.secret is not None
    return Receiver(hook.secret.get_secret_value())


def counts(database: Database) -> SinkCounts:
    return deliveries.count_deliveries(database)["hook"]


def plates(number: int, prefix: str = "AB") -> list[str]:
    return [f"{prefix}{10 + index}CD" for index in range(number)]


def test_an_event_arrives_with_its_links(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    see("AB12CD")
    with receiver.listen(port), delivering(settings, database):
        wait_for(lambda: counts(database).sent == 1)
    (event,) = receiver.events
    assert (event["type"], event["data"]["text"]) == ("passage.new", "AB12CD")
    crop = f"https://sightline.example/v1/passages/{event['data']['passage_id']}/crop"
    assert event["data"]["links"]["crop"] == crop
    assert counts(database) == SinkCounts(sent=1)


def test_each_is_acted_on_once_by_a_receiver_that_is_down_then_slow_broken_and_forgetful(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    chance = random.Random(7)
    moods: list[int | str] = ["wait", 500, 502, 400, 302, 302, "slow", "slow", *["cut"] * 6]
    receiver.moods = chance.sample(moods, len(moods))
    expected = plates(60)
    for index, text in enumerate(expected):
        see(text, at_s=index * 20, source=f"cam{index % 3}")
    with delivering(settings, database):
        wait_for(lambda: counts(database).last_error)  # nobody listens yet
        assert "hunter2" not in str(counts(database).last_error)
        assert "token-in-the-path" not in str(counts(database).last_error)
        with receiver.listen(port):
            wait_for(lambda: counts(database).sent == 60, timeout_s=30)
    assert sorted(receiver.texts()) == sorted(expected)
    assert receiver.moods == []
    assert max(receiver.seen.values()) > 1, "the receiver got duplicates, and could tell"
    assert counts(database) == SinkCounts(sent=60)


def test_a_killed_process_loses_nothing(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    """kill -9 while it sends, three times; the ids of what comes twice are the same."""
    for index, text in enumerate(plates(45)):
        see(text, at_s=index * 20, source=f"cam{index % 9}")
    receiver.slow_s = 0.1
    receiver.moods = ["slow"] * 30
    with receiver.listen(port):
        for round_number in range(3):
            process = start_process(settings)
            wait_for(lambda enough=(round_number + 1) * 9: len(receiver.texts()) >= enough)
            process.kill()
            process.wait()
        process = start_process(settings)
        wait_for(lambda: counts(database).sent == 45)
        process.terminate()
        assert process.wait(10) == 0
    assert sorted(receiver.texts()) == sorted(plates(45))
    assert "Traceback" not in (settings.data_dir / "deliver.log").read_text()


def test_events_of_a_source_come_in_their_order(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    for index, text in enumerate(plates(40)):
        see(text, at_s=index * 20, source=f"cam{index % 2}")
    with receiver.listen(port), delivering(settings, database):
        wait_for(lambda: counts(database).sent == 40)
    for source in ("cam0", "cam1"):
        seen = [event["data"]["text"] for event in receiver.events if event["data"]["source_id"] == source]
        assert seen == sorted(seen)
        assert len(seen) == 20


def test_what_happened_to_a_passage_comes_in_its_order_though_its_beginning_is_refused_at_first(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    update_sink(database, "hook", events=[Event.PASSAGE_NEW, Event.PASSAGE_FINAL])
    refused: Counter[str] = Counter()

    def refuse(event: dict[str, Any]) -> int | None:
        refused[text := event["data"]["text"]] += event["type"] == "passage.new"
        return 500 if event["type"] == "passage.new" and refused[text] < 3 else None

    receiver.refuse = refuse
    for index, text in enumerate(plates(3)):
        see(text, at_s=index * 20)
    finalize_passages(database, timedelta(0), datetime.now(UTC) + timedelta(seconds=1))
    with receiver.listen(port), delivering(settings, database):
        wait_for(lambda: counts(database).sent == 6)
    for text in plates(3):
        told = [event["type"] for event in receiver.events if event["data"]["text"] == text]
        assert told == ["passage.new", "passage.final"]


def test_a_poisonous_event_dies_alone_and_can_be_replayed(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    settings = settings.model_copy(update={"delivery_max_attempts": 3})
    started_at = datetime.now(UTC)

    def refuse(event: dict[str, Any]) -> int | None:
        return 422 if event["data"]["text"] == "XX66XX" else None

    receiver.refuse = refuse
    for index, text in enumerate(["AB12CD", "XX66XX", "EF34GH"]):
        see(text, at_s=index * 20)
    with receiver.listen(port), delivering(settings, database):
        wait_for(lambda: counts(database).dead == 1)
        wait_for(lambda: counts(database).sent == 2)
        assert receiver.texts() == ["AB12CD", "EF34GH"]
        see("IJ56KL", at_s=60)
        wait_for(lambda: counts(database).sent == 3)
        assert counts(database).dead == 1
        receiver.refuse = lambda _event: None
        assert deliveries.replay(database, "hook", started_at, datetime.now(UTC) + timedelta(seconds=1)) == 4
        wait_for(lambda: counts(database) == SinkCounts(sent=7))
    assert sorted(receiver.texts()) == ["AB12CD", "EF34GH", "IJ56KL", "XX66XX"]
    assert sorted(receiver.seen.values()) == [1, 2, 2, 2], "replayed under the same ids"


def test_a_receiver_that_is_gone_is_left_alone(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    see("AB12CD")
    receiver.moods = [410]
    with receiver.listen(port), delivering(settings, database):
        wait_for(lambda: not get_sink(database, "hook").enabled)
        assert get_sink(database, "hook").disabled_reason == "the receiver answered 410 Gone"
        assert counts(database).pending == 1
        see("EF34GH", at_s=20)  # is not noted any more
        update_sink(database, "hook", enabled=True)
        see("IJ56KL", at_s=40)
        wait_for(lambda: counts(database).sent == 2)
    assert receiver.texts() == ["AB12CD", "IJ56KL"]


def test_a_test_event_tells_that_the_receiver_is_gone(
    settings: Settings, database: Database, receiver: Receiver, port: int
) -> None:
    receiver.moods = [410]
    test = deliveries.add_test(database, "hook")
    with receiver.listen(port), delivering(settings, database):
        outcome = wait_for(lambda: deliveries.outcome_of(database, test))
    assert outcome == (False, "the receiver answered 410 Gone; the sink is disabled")
    assert not get_sink(database, "hook").enabled


def test_a_paused_sink_gets_its_events_when_it_is_resumed(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    update_sink(database, "hook", enabled=False)
    see("AB12CD")
    with receiver.listen(port), delivering(settings, database):
        with pytest.raises(AssertionError):
            wait_for(lambda: receiver.seen, timeout_s=0.6)
        update_sink(database, "hook", enabled=True)
        wait_for(lambda: counts(database).sent == 1)


def test_one_bad_receiver_does_not_hold_up_another(
    settings: Settings, database: Database, receiver: Receiver, port: int, see: See
) -> None:
    bad_port = free_port()
    bad = add_sink(database, new_sink(sink_id="bad", url=f"http://127.0.0.1:{bad_port}/"))
    assert bad.secret is not None
    slow = Receiver(bad.secret.get_secret_value(), ["slow"] * 1000)
    for index, text in enumerate(plates(20)):
        see(text, at_s=index * 20, source=f"cam{index}")
    with receiver.listen(port), slow.listen(bad_port), delivering(settings, database):
        wait_for(lambda: counts(database).sent == 20, timeout_s=3)
        assert deliveries.count_deliveries(database)["bad"].sent == 0


def test_the_test_event_says_what_the_receiver_did(
    settings: Settings, database: Database, receiver: Receiver, port: int
) -> None:
    receiver.moods = [204, 500]
    with receiver.listen(port), delivering(settings, database):
        good = deliveries.add_test(database, "hook")
        assert wait_for(lambda: deliveries.outcome_of(database, good)) == (True, None)
        bad = deliveries.add_test(database, "hook")
        assert wait_for(lambda: deliveries.outcome_of(database, bad)) == (False, "answered 500 Internal Server Error")
        assert counts(database) == SinkCounts(sent=1, last_error="answered 500 Internal Server Error")
