"""The pipeline in Ray Serve, its own batching on: `python -m benchmarks.throughput.peers.peer_ray PORT FOLDER`."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from benchmarks.throughput.peers.peer_model import BATCH, REPLICAS, WAIT_S, PeerModel, use_our_packages


def main() -> None:
    import ray  # pyright: ignore[reportMissingImports]
    from ray import serve  # pyright: ignore[reportMissingImports]

    port, folder = int(sys.argv[1]), Path(sys.argv[2])

    @serve.deployment(num_replicas=REPLICAS, max_ongoing_requests=4 * BATCH, ray_actor_options={"num_cpus": 1})  # pyright: ignore
    class Plates:
        def __init__(self) -> None:
            use_our_packages()
            self.model = PeerModel(folder)

        @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_S)  # pyright: ignore
        async def read(self, pictures: list[bytes]) -> list[int]:
            return await asyncio.to_thread(self.model.read, pictures)  # the next batch forms meanwhile

        async def __call__(self, request: Any) -> dict[str, int]:
            form = await request.form()
            # What is given one by one comes back one by one: the decorator makes the lists.
            plates: Any = await self.read(await form["picture"].read())
            return {"plates": int(plates)}

    ray.init(num_cpus=max(2, REPLICAS), include_dashboard=False, log_to_driver=True)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(Plates.bind(), name="plates", route_prefix="/predict")  # pyright: ignore
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
