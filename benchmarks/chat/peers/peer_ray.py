"""The engine in Ray Serve, its own batching on: `python -m benchmarks.chat.peers.peer_ray PORT FOLDER`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

from benchmarks.chat.peers.peer_model import BATCH, WAIT_S, PeerModel
from benchmarks.throughput.peers.peer_model import use_our_packages


def main() -> None:
    import ray  # pyright: ignore[reportMissingImports]
    from ray import serve  # pyright: ignore[reportMissingImports]

    @serve.deployment(num_replicas=1, max_ongoing_requests=4 * BATCH, ray_actor_options={"num_cpus": 1})  # pyright: ignore
    class Chat:
        def __init__(self) -> None:
            use_our_packages()
            self.model = PeerModel()

        @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_S)  # pyright: ignore
        async def answer(self, asked: list[tuple[str, int]]) -> list[int]:
            return await asyncio.to_thread(self.model.answer, asked)  # the next batch forms meanwhile

        async def __call__(self, request: Any) -> dict[str, int]:
            asked = await request.json()
            # What is given one by one comes back one by one: the decorator makes the lists.
            one: Any = (asked["text"], asked["max_tokens"])
            tokens: Any = await self.answer(one)
            return {"tokens": int(tokens)}

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=True)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Chat.bind(), name="chat", route_prefix="/predict")  # pyright: ignore
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
