"""Errors that cross processes stay what they are."""

from __future__ import annotations

import pickle

import pytest

from sightline.errors import (
    BacklogFullError,
    BadMessageError,
    SightlineError,
    StoreUnavailableError,
    WaitTimeoutError,
)


@pytest.mark.parametrize(
    "error",
    [
        WaitTimeoutError("job j is not finished", job_id="j"),
        BacklogFullError("backlog full", source_id="gate", retry_after_s=3),
        BadMessageError("lane: 'fast' is unknown", field="lane"),
        StoreUnavailableError("no answer", retry_after_s=2),
    ],
)
def test_a_pickled_error_is_the_same_error(error: SightlineError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
