"""What a worker that waits says of itself: only a service that does not answer is one that it is cut off from."""

from __future__ import annotations

import pytest

from sightline.errors import BrokerUnavailableError, EngineUnavailableError, RetryableError, StoreUnavailableError
from sightline.retry import Patience


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BrokerUnavailableError("Redis does not answer"), True),
        (StoreUnavailableError("the database does not answer"), True),
        (EngineUnavailableError("the model's server does not answer"), True),
        (RetryableError("no memory, for a while"), False),
    ],
)
def test_it_is_cut_off_from_services_alone(error: RetryableError, expected: bool) -> None:
    patience, failures = Patience(), [error]

    def call() -> None:
        if failures:
            raise failures.pop()

    assert not patience.waits_for_service
    patience.insist(call, "store a row")
    assert patience.is_waiting
    assert patience.waits_for_service == expected


def test_a_pause_of_its_own_is_no_outage_of_a_service() -> None:
    """As after a lack of memory, or a message of a newer version."""
    patience = Patience()
    patience.pause(0)
    assert (patience.is_waiting, patience.waits_for_service) == (True, False)
