"""The pipeline in LitServe, its own batching on: `python -m benchmarks.throughput.peers.peer_litserve PORT FOLDER`.

No postponed annotations: LitServe reads them.
"""

import sys
from pathlib import Path
from typing import Any

import litserve  # pyright: ignore[reportMissingImports]
from fastapi import Request

from benchmarks.throughput.peers.peer_model import BATCH, REPLICAS, WAIT_S, PeerModel, use_our_packages

use_our_packages()  # here, for each of LitServe's processes imports this module; forms need python-multipart


class Plates(litserve.LitAPI):  # pyright: ignore
    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        self.model = PeerModel(Path(sys.argv[2]))

    def decode_request(self, request: Request) -> bytes:
        form: Any = request  # by the annotation LitServe knows that it is to parse a form
        return form["picture"].file.read()

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        return list(inputs)

    def predict(self, pictures: list[bytes]) -> list[int]:
        return self.model.read(pictures)

    def unbatch(self, output: list[int]) -> list[int]:
        return output

    def encode_response(self, plates: int) -> dict[str, int]:
        return {"plates": plates}


def main() -> None:
    plates: Any = Plates(max_batch_size=BATCH, batch_timeout=WAIT_S)
    server: Any = litserve.LitServer(plates, accelerator="cpu", workers_per_device=REPLICAS)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)


if __name__ == "__main__":
    main()
