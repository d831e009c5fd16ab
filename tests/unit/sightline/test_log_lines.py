"""Lines of a log: folded where one cause says the same again and again, and as JSON with what they are about."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sightline import retry
from sightline.errors import BrokerUnavailableError
from sightline.ids import new_id
from sightline.logs import working_on
from sightline.logs.folding import FoldingHandler
from sightline.logs.lines import JsonLines
from sightline.retry import Patience
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job


class Log:
    """What is written of a logger, by a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self._stream = io.StringIO()
        self.handler = FoldingHandler(self._stream, clock=lambda: self.now)
        self.logger = logging.getLogger("sightline.retry")

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    log.logger.addHandler(log.handler)
    log.logger.setLevel(logging.INFO)
    yield log
    log.logger.removeHandler(log.handler)
    log.logger.setLevel(logging.NOTSET)


def test_one_cause_is_one_line_and_then_a_count_a_minute_later(log: Log) -> None:
    for second in range(61):
        log.now = float(second)
        log.logger.warning("cannot begin job %s yet, again in %.1f s", new_id(), second / 7)
    assert len(log.lines) == 2
    assert "such lines" not in log.lines[0]
    assert log.lines[1].endswith("(60 such lines in 60 s)")


def test_another_cause_is_said_at_once_and_so_is_what_is_no_warning(log: Log) -> None:
    log.logger.warning("the database did not answer")
    log.logger.warning("the broker did not answer")
    log.logger.error("the broker did not answer")
    for _ in range(3):
        log.logger.info("job stored")
    assert len(log.lines) == 6


def test_what_was_held_back_is_counted_with_the_next_line_of_any_kind(log: Log) -> None:
    for _ in range(5):
        log.logger.warning("batch of 3 failed")
    log.now = 100.0
    log.logger.info("stopping")
    assert log.lines[1:] == ["batch of 3 failed (4 such lines in 100 s)", "stopping"]


def test_a_cause_that_was_quiet_for_long_is_new(log: Log) -> None:
    log.logger.warning("lease not refreshed")
    log.now = 1000.0
    log.logger.warning("lease not refreshed")
    assert log.lines == ["lease not refreshed", "lease not refreshed"]


def test_causes_that_never_come_again_are_forgotten(log: Log) -> None:
    for number in range(3000):
        letters = str(number).translate(str.maketrans("0123456789", "abcdefghij"))
        log.logger.warning("cause %s", letters)
    assert len(log.lines) == 3000
    assert len(log.handler._causes) == 1000


def test_an_hour_without_redis_is_no_more_than_two_hundred_lines(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen jobs that wait, each in its own place, as a worker's threads do, and what else tries meanwhile."""
    error = BrokerUnavailableError("Redis did not take the command: Error 111 connecting to 127.0.0.1:6379")
    monkeypatch.setattr(retry.time, "monotonic", lambda: log.now)
    tried, records = 0, list[str]()
    log.handler.addFilter(lambda record: not records.append(record.name))

    def is_open(_pause_s: float, *, is_outage: bool = True) -> None: ...

    def insist(what: str, seconds: float) -> None:
        """As long as `Patience` does: its pauses move the clock, and at the end Redis answers."""
        nonlocal tried
        until = log.now + seconds

        def call() -> None:
            nonlocal tried
            tried += 1
            log.now += 0.3
            if log.now < until:
                raise error

        patience = Patience()
        monkeypatch.setattr(patience, "pause", is_open)
        patience.insist(call, what)

    kinds = ("begin job {}", "send {} to sightline.ocr", "send {} to sightline.write", "store frames:{}", "drop job {}")
    while log.now < 3600:
        for kind in kinds:
            insist(kind.format(new_id()), 5.0)
        for name, text in (
            ("sightline.delivery.sweeper", "sweep put off: %s"),
            ("sightline.celery.lease", "lease not refreshed, messages may be delivered twice: %s"),
            (
                "celery.worker.consumer.consumer",
                "consumer: Cannot connect to redis://127.0.0.1:6379/0: %s. Trying again",
            ),
        ):
            log.handler.handle(logging.makeLogRecord({"name": name, "levelno": 30, "msg": text, "args": (error,)}))
    assert tried > 10_000
    assert 20 < len(log.lines) <= 200
    counted = [int(found[1]) for line in log.lines if (found := re.search(r"\((\d+) such lines", line))]
    held = sum(cause.count for cause in log.handler._causes.values())
    assert len(log.lines) - len(counted) + sum(counted) + held == len(records)  # nothing is left out without a number


def job(*frames: tuple[str, str]) -> Job:
    refs = [FrameRef(frame_id=frame, source_id=source, captured_at=datetime.now(UTC)) for frame, source in frames]
    return Job(job_id="job-000001", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=tuple(refs))


def test_a_line_as_json_says_what_it_is_about(log: Log) -> None:
    log.handler.setFormatter(JsonLines())
    with working_on(job(("frame-0001", "gate"))):
        log.logger.info("kept %d", 3)
    with working_on(job(("frame-0001", "gate"), ("frame-0002", "gate"))):
        log.logger.info("two")
    with working_on(job(("frame-0001", "gate"), ("frame-0002", "yard"))):
        log.logger.info("both")
    log.logger.info("none\nof them")
    lines = [json.loads(line) for line in log.lines]
    assert lines[0]["message"] == "kept 3"
    assert datetime.fromisoformat(lines[0]["time"]).tzinfo is not None
    assert (lines[0]["level"], lines[0]["logger"]) == ("INFO", "sightline.retry")
    about = [{name: line[name] for name in ("job", "frame", "source") if name in line} for line in lines]
    assert about == [
        {"job": "job-000001", "frame": "frame-0001", "source": "gate"},
        {"job": "job-000001", "source": "gate"},
        {"job": "job-000001"},
        {},
    ]


def test_an_error_as_json_has_its_traceback_in_the_same_line_and_a_count_is_about_the_job_that_was_last(
    log: Log,
) -> None:
    log.handler.setFormatter(JsonLines())
    try:
        raise ValueError("bad")
    except ValueError:
        log.logger.exception("a bug")
    assert "ValueError: bad" in json.loads(log.lines[0])["exception"]
    with working_on(job(("frame-0001", "gate"))):
        log.logger.error("a bug")
    log.now = 61.0
    with working_on(job(("frame-0009", "yard"))):
        log.logger.info("goes on")
    count = json.loads(log.lines[1])
    assert (count["message"], count["frame"]) == ("a bug (1 such lines in 61 s)", "frame-0001")
