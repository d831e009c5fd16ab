"""What the doctor makes of clocks, disks and errors."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.exceptions import ResponseError

from sightline.doctor.finding import Finding, State, guarded, ok, warn
from sightline.doctor.machine import compare_clocks, look_at_disks
from sightline.errors import BrokerUnavailableError, NotLetInError, NotPermittedError, SettingsError
from sightline.redis.connection import broker_errors
from sightline.settings import load_settings


class _Usage(NamedTuple):
    free: float


@pytest.mark.parametrize(
    ("other_s", "state"),
    [
        (100.5, State.OK),
        (99.5, State.OK),
        (101.9, State.OK),
        (102.5, State.WARN),
        (94.0, State.BAD),
        (200.0, State.BAD),
    ],
)
def test_a_clock_read_between_two_moments_of_ours(other_s: float, state: State) -> None:
    assert compare_clocks("redis", other_s, 100.0, 101.0).state is state


@pytest.mark.parametrize(("free_gb", "state"), [(100, State.OK), (2, State.WARN), (0.1, State.BAD)])
def test_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, state: State) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(free_gb * 1e9))
    found = list(look_at_disks(load_settings(data_dir=tmp_path / "not" / "there", frames_url="redis://x/0")))
    assert [(finding.what, finding.state) for finding in found] == [
        ("disk: data folder", state),
        ("disk: pictures", state),
    ]
    assert all(finding.do for finding in found if state is not State.OK)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (BrokerUnavailableError("redis://me:secret@h/0 is away"), State.BAD),
        (SettingsError("wrong"), State.BAD),
        (NotPermittedError("no right"), State.UNKNOWN),
        (NotLetInError("who?"), State.BAD),
    ],
)
def test_an_error_is_a_finding_and_the_ones_before_it_stay(error: Exception, state: State) -> None:
    def check() -> list[Finding]:
        raise error

    def first() -> object:
        yield ok("thing", "is there")
        yield from check()

    found = list(guarded("thing", first))  # type: ignore[arg-type]
    assert [finding.state for finding in found] == [State.OK, state]
    assert "secret" not in found[1].says


def test_nobody_asks_whether_redis_is_up_where_a_key_is_of_another_kind() -> None:
    def check() -> list[Finding]:
        with broker_errors():
            raise ResponseError("Command # 1 (LLEN gpu.detect) of pipeline caused error: WRONGTYPE Operation against")

    (found,) = guarded("workers", check)
    assert (found.state, found.do) == (State.BAD, "")
    assert found.says.endswith("rename or delete it")


def test_a_finding_hides_what_a_url_holds() -> None:
    assert "secret" not in warn("camera", "rtsp://me:secret@host/x does not answer").says
