"""What connects, and what an outage is called."""

from __future__ import annotations

import asyncio

import pytest

from sightline.errors import BrokerUnavailableError
from sightline.redis.connection import broker_errors, connect, connect_async


def test_a_socket_that_is_not_there_is_an_outage_by_its_name() -> None:
    async def ping() -> None:
        await connect_async("unix:///no/such.sock?db=1").ping()  # pyright: ignore[reportGeneralTypeIssues]

    with pytest.raises(BrokerUnavailableError, match=r"/no/such\.sock"), broker_errors():
        connect("unix:///no/such.sock?db=1&socket_timeout=3").ping()
    with pytest.raises(BrokerUnavailableError, match=r"/no/such\.sock"), broker_errors():
        asyncio.run(ping())


def test_sentinels_that_do_not_answer_are_named_without_the_options_of_their_connections() -> None:
    with pytest.raises(BrokerUnavailableError) as refused, broker_errors():
        connect("sentinel://127.0.0.1:1,127.0.0.1:2/0?master=main").ping()
    said = str(refused.value)
    assert "No master found for 'main'" in said
    assert "Sentinel 127.0.0.1:1: " in said
    assert "Sentinel 127.0.0.1:2: " in said
    assert "<redis" not in said
