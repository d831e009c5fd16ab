"""The running API against its own OpenAPI document: whatever is sent, the answer is one that is documented.

`make fuzz` does the same with thousands of requests (`FUZZ_REQUESTS` for each operation and mode).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from sightline.local.checkout import worker_command
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.pipelines.queues import WRITE_QUEUE
from sightline.pipelines.speech import TRANSCRIBE_QUEUE
from sightline.settings import load_settings
from storage.access.keys import Role, create_key
from storage.database.opening import open_database
from storage.database.revision import upgrade
from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "2"))
_CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture
def api(tmp_path: Path, redis_url: str) -> Iterator[httpx.Client]:
    """A real process, asked by an operator; what waits for an answer gets one from stubs of models."""
    here = load_settings(data_dir=tmp_path)
    upgrade(here.sqlalchemy_url)
    database = open_database(here.sqlalchemy_url)
    key = create_key(database, "contract", Role.OPERATOR)
    database.close()
    port = free_port()
    given = {"DATA_DIR": tmp_path, "REDIS_URL": redis_url, "API_PORT": port, "URL_FETCH_TIMEOUT_S": 0.2}
    given |= {"CHAT_ENGINE": "stub", "SPEECH_ENGINE": "stub"}
    environment = os.environ | {f"SIGHTLINE_{name}": str(value) for name, value in given.items()}
    answering = worker_command("answers", CHAT_QUEUE, TRANSCRIBE_QUEUE, WRITE_QUEUE, concurrency=4)
    with (tmp_path / "api.log").open("wb") as log:
        process, worker = (
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            for command in ((sys.executable, "-m", "producers.api"), answering)
        )
    base_url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=base_url, headers={"X-API-Key": key}, timeout=60, trust_env=False) as client:
        try:
            _wait_until_there(client, process)
            yield client
        finally:
            for each in (process, worker):
                each.terminate()
            for each in (process, worker):
                each.wait(15)


def _wait_until_there(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while True:
        try:
            client.get("/healthz")
            return
        except httpx.ConnectError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)


def test_every_answer_is_one_that_the_document_knows(api: httpx.Client) -> None:
    found: dict[tuple[str, str, int], str] = {}
    sent = 0
    schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json())
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 20
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
            except Exception as nothing:  # noqa: BLE001 - there is nothing wrong to send where nothing is taken
                assert mode is GenerationMode.NEGATIVE, nothing  # noqa: PT017
                continue

            @settings(
                max_examples=REQUESTS,
                database=None,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=cases)
            def ask(case: Any) -> None:
                nonlocal sent
                sent += 1
                if isinstance(case.query, dict) and "wait" in case.query:
                    case.query["wait"] = 0
                case.headers = {**dict(case.headers or {}), "X-API-Key": api.headers["X-API-Key"]}
                answer = case.call(base_url=str(api.base_url), timeout=60)
                for check in _CHECKS:
                    try:
                        case.validate_response(answer, checks=[check])
                    except BaseException as failure:  # noqa: BLE001 - a group of failures
                        found.setdefault((case.operation.label, check.__name__, answer.status_code), str(failure)[:700])

            try:
                ask()
            except Exception as error:  # noqa: BLE001
                if type(error).__name__ != "Unsatisfiable":
                    found.setdefault((operation.label, type(error).__name__, 0), str(error)[:700])
    print(f"{sent} requests to {len(operations)} operations")
    assert not found, "\n\n".join(f"{where}\n{what}" for where, what in found.items())
    assert sent >= len(operations) * REQUESTS
