"""Whether stores are up, as Prometheus is told: one that hangs or takes nothing is not, and hides no other."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from prometheus_client.core import Metric

from producers.api.metrics import collector
from producers.api.services import ApiServices
from sightline.errors import StoreUnavailableError
from sightline.settings import Settings


def stores(client: TestClient) -> dict[str, float]:
    """By name, 1 for what is up."""
    said = client.get("/metrics").text
    assert "sightline_queue_messages{" in said
    return {name: float(up) for name, up in re.findall(r'sightline_store_up\{store="(\w+)"\} (\S+)', said)}


def test_all_are_up(client: TestClient) -> None:
    assert stores(client) == {"broker": 1, "redis": 1, "frames": 1, "database": 1}


def test_one_that_hangs_is_down_in_time_and_asked_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, asked = threading.Event(), list[int]()

    def hang(_: ApiServices) -> Iterable[Metric]:
        asked.append(1)
        let_go.wait(30)
        return ()

    monkeypatch.setattr(collector, "_WITHIN_S", 1.0)
    monkeypatch.setitem(vars(collector)["_PARTS"], "database", (hang,))
    try:
        for _ in range(3):
            assert stores(client) == {"broker": 1, "redis": 1, "frames": 1, "database": 0}
        assert len(asked) == 1
    finally:
        let_go.set()
    assert stores(client)["database"] == 1


def test_a_database_that_takes_no_rows_is_down(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise StoreUnavailableError("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(collector, "require_writable", refuse)
    assert stores(client) == {"broker": 1, "redis": 1, "frames": 1, "database": 0}


def test_a_frame_store_that_is_no_folder_is_down(client: TestClient, settings: Settings) -> None:
    assert settings.frame_store_url.startswith("file:")
    folder = Path(urlsplit(settings.frame_store_url).path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.touch()
    assert stores(client) == {"broker": 1, "redis": 1, "frames": 0, "database": 1}
