"""The API behind a real server and a real socket: what a client sees while it is still sending."""

from __future__ import annotations

import asyncio

import httpx
import pytest

MB = 1_000_000
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


@pytest.mark.parametrize("with_key", [True, False])
def test_a_client_that_sends_too_much_gets_to_see_the_refusal(api_url: str, operator_key: str, with_key: bool) -> None:
    headers = {"X-API-Key": operator_key} if with_key else {}
    answer = httpx.post(f"{api_url}/v1/jobs", files={"files": ("big.jpg", bytes(100 * MB))}, headers=headers)
    assert answer.status_code == 413
    assert "at most 64 MB" in answer.json()["detail"]


def test_one_without_a_key_gets_to_see_that_its_upload_was_not_wanted(api_url: str) -> None:
    answer = httpx.post(f"{api_url}/v1/jobs", files={"files": ("car.jpg", bytes(30 * MB))})
    assert answer.status_code == 401
    assert "X-API-Key" in answer.json()["detail"]


async def test_the_server_answers_others_while_many_wait(api_url: str, operator_key: str) -> None:
    """A wait holds no thread: there are many more of them than there are threads."""
    headers, limits = {"X-API-Key": operator_key}, httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=api_url, headers=headers, limits=limits, timeout=20) as client:
        job = (await client.post("/v1/jobs", files={"files": ("a.png", PIXEL)})).json()
        waiting = [asyncio.create_task(client.get(f"{job['links']['self']}?wait=6")) for _ in range(150)]
        await asyncio.sleep(1)
        assert (await client.get("/v1/passages")).status_code == 200
        assert sum(not task.done() for task in waiting) == 150
        assert {(await task).json()["status"] for task in waiting} == {"open"}
