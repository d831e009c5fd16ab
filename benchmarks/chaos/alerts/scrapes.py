"""Asks each role for its metrics once a second, as Prometheus does, and keeps what the alert rules go by."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

RULES: Final = Path(__file__).parents[3] / "deploy/observe/alerts.yml"
TICK_S: Final = 1.0
#: As Prometheus does where nobody says otherwise.
_TIMEOUT_S: Final = 10.0
_UP: Final = "up{"
_STORE_UP: Final = "sightline_store_up"
_WAITS: Final = "sightline_worker_waits_for_service"

#: Labels as text -> value. One look at one process.
Sample = Mapping[str, float]


def names_in_rules() -> frozenset[str]:
    """The metrics that the alert rules name."""
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    return frozenset(name for rule in rules for name in re.findall(r"\b(?:sightline|process)_\w+", rule["expr"]))


class Scrapes:
    """What every process said, tick by tick; `counters` are the series that only grow."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports
        self._names = names_in_rules()
        self._latest: dict[str, Sample] = {}
        self._over = threading.Event()
        self.counters: set[str] = set()
        self.ticks: list[Sample] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside of it all are asked."""
        with ThreadPoolExecutor(len(self._ports) + 1) as pool, httpx.Client(trust_env=False) as client:
            for name in self._ports:
                pool.submit(self._ask_again, client, name)
            pool.submit(self._tick)
            try:
                yield
            finally:
                self._over.set()

    def all_is_well(self, ticks: int = 3) -> bool:
        """Whether at each of the last looks every process answered, reached every store and waited for none."""
        return all(
            bool(value) != series.startswith(_WAITS)
            for tick in self.ticks[-ticks:]
            for series, value in tick.items()
            if series.startswith((_UP, _STORE_UP, _WAITS))
        )

    def _tick(self) -> None:
        while not self._over.wait(TICK_S):
            if len(self._latest) == len(self._ports):
                self.ticks.append({series: value for each in self._latest.values() for series, value in each.items()})

    def _ask_again(self, client: httpx.Client, name: str) -> None:
        """Each for itself: one that hangs keeps no other."""
        target = f'instance="{name}",job="sightline"'
        while not self._over.wait(TICK_S):
            try:
                url = f"http://127.0.0.1:{self._ports[name]}/metrics"
                text = client.get(url, timeout=_TIMEOUT_S).raise_for_status().text
            except httpx.HTTPError:
                self._latest[name] = {f"{_UP}{target}}}": 0.0}
            else:
                self._latest[name] = {f"{_UP}{target}}}": 1.0, **self._read(text, target)}

    def _read(self, text: str, target: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name not in self._names:
                    continue
                labels = [f'{label}="{value}"' for label, value in sorted(sample.labels.items())]
                series = f"{sample.name}{{{','.join([*labels, target])}}}"
                found[series] = sample.value
                if family.type in ("counter", "histogram"):
                    self.counters.add(series)
        return found
