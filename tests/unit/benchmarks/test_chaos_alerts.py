"""Which alerts a fault should fire, and how ten seconds of metrics become half an hour."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml

from benchmarks.chaos.alerts.expected import EXPECTED, Alerts
from benchmarks.chaos.alerts.longer import after_long, longer
from benchmarks.chaos.alerts.promtool import fired
from benchmarks.chaos.alerts.scrapes import RULES, Sample
from benchmarks.chaos.faults import FAULTS, OF_FRAMES
from benchmarks.chaos.faults.fault import Lasting

UP = 'up{instance="a",job="sightline"}'
STORE = 'sightline_store_up{store="redis"}'
COUNTER, AGE, DEPTH = "sightline_lost_frames_total", "sightline_sweep_age_seconds", "sightline_open_frames"


def test_every_fault_says_what_it_should_fire() -> None:
    assert list(EXPECTED) == list(OF_FRAMES)
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    known = {rule["alert"].removeprefix("Sightline") for rule in rules}
    for name, alerts in EXPECTED.items():
        assert alerts.passing | alerts.lasting | alerts.beside <= known
        assert issubclass(FAULTS[name], Lasting) or not alerts.lasting


def test_the_documentation_has_the_same_table() -> None:
    page = (RULES.parents[2] / "docs/measurements/chaos.md").read_text()
    table = page.partition("## Which alerts fire")[2].partition("\n## ")[0]
    found: dict[str, Alerts] = {}
    for line in re.findall(r"^\| `.*$", table, re.MULTILINE):
        names, *columns = line.strip("|").split("|")
        alerts = Alerts(*(frozenset(re.findall(r"\w+", column)) for column in columns))
        found |= dict.fromkeys(re.findall(r"[a-z0-9-]+", names), alerts)
    assert found == EXPECTED


def test_other_alerts_and_missing_ones_are_wrong() -> None:
    should = Alerts(lasting=frozenset({"StoreDown"}), beside=frozenset({"DeadLetters"}))
    assert should.holds(Alerts(lasting=frozenset({"StoreDown"})))
    assert should.holds(Alerts(frozenset({"DeadLetters"}), frozenset({"StoreDown", "DeadLetters"})))
    assert not should.holds(Alerts())
    assert not should.holds(Alerts(lasting=frozenset({"StoreDown", "RoleDown"})))
    assert not should.holds(Alerts(frozenset({"RoleDown"}), frozenset({"StoreDown"})))


def test_what_grows_grows_on_and_what_goes_up_and_down_does_so() -> None:
    depths = [3.0, 5.0, 2.0, 4.0, 3.0]
    ticks: list[Sample] = [{COUNTER: 10.0 + 2 * n, AGE: 1.0 + n, DEPTH: depths[n]} for n in range(5)]
    told = longer(ticks, {COUNTER}, 10)
    assert [tick[DEPTH] for tick in told[5:]] == depths * 2
    assert [tick[COUNTER] for tick in told] == [10.0 + 2 * n for n in range(15)]
    assert [tick[AGE] for tick in told] == [1.0 + n for n in range(15)]


def test_before_it_counters_grew_as_they_did() -> None:
    ticks: list[Sample] = [{COUNTER: 10.0 + n, DEPTH: 1.0} for n in range(8)]
    told = after_long(ticks, {COUNTER}, 100)
    assert [tick[COUNTER] for tick in told] == [10.0 + n for n in range(108)]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_says_what_fires() -> None:
    well: Sample = {UP: 1.0, STORE: 1.0}
    assert fired([well] * 300) == set()
    assert fired([well] * 60 + [{UP: 1.0, STORE: 0.0}] * 240) == {"SightlineStoreDown"}
    assert fired([well] * 60 + [{UP: 1.0, STORE: 0.0}] * 40 + [well] * 200) == set()
    assert fired([well] * 60 + [{UP: 0.0}] * 240) == {"SightlineRoleDown"}
    assert fired([well] * 60 + [{UP: 0.0}] * 540) == {"SightlineRoleDown", "SightlineApiUnseen"}
