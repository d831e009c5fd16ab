"""A model is opened once, beside those who ask for it, and again after it failed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import workers.models.opening
from sightline.errors import ModelError
from workers.models.opening import Opening


def wait_for(opening: Opening[str]) -> str:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if found := opening.get(wait=False):
            return found
        time.sleep(0.01)
    raise AssertionError("never opened")


def test_who_does_not_wait_is_told_to_ask_again():
    release, calls = threading.Event(), list[int]()

    def open_it() -> str:
        calls.append(1)
        assert release.wait(10)
        return "model"

    opening = Opening(open_it)
    assert opening.opened is None
    assert calls == []
    assert [opening.get(wait=False) for _ in range(3)] == [None, None, None]
    assert opening.opened is None
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(opening.get, wait=True) for _ in range(2)]
        release.set()
        assert [each.result(10) for each in waiting] == ["model", "model"]
    assert (opening.opened, opening.get(wait=False), calls) == ("model", "model", [1])


def test_what_failed_says_so_until_it_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    there, calls = threading.Event(), list[int]()

    def open_it() -> str:
        calls.append(1)
        if not there.is_set():
            raise ModelError("put it there", model="own")
        return "model"

    monkeypatch.setattr(workers.models.opening, "_TRIED_AGAIN_AFTER_S", 60)
    patient = Opening(open_it)
    for _ in range(3):
        with pytest.raises(ModelError, match="put it there") as caught:
            patient.get(wait=True)
        assert caught.value.model == "own"
    assert (patient.opened, calls) == (None, [1])

    monkeypatch.setattr(workers.models.opening, "_TRIED_AGAIN_AFTER_S", 0)
    opening = Opening(open_it)
    with pytest.raises(ModelError):
        opening.get(wait=True)
    there.set()
    assert wait_for(opening) == "model"


def test_a_bug_is_not_taken_for_a_missing_model():
    def open_it() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Opening(open_it).get(wait=True)
