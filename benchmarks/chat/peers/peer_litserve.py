"""The engine in LitServe, its own batching on: `python -m benchmarks.chat.peers.peer_litserve PORT FOLDER`.

No postponed annotations: LitServe reads them.
"""

import sys
from typing import Any

import litserve  # pyright: ignore[reportMissingImports]

from benchmarks.chat.peers.peer_model import BATCH, WAIT_S, PeerModel
from benchmarks.throughput.peers.peer_model import use_our_packages

use_our_packages()  # here, for each of LitServe's processes imports this module


class Chat(litserve.LitAPI):  # pyright: ignore
    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        self.model = PeerModel()

    def decode_request(self, request: dict[str, Any]) -> tuple[str, int]:
        return request["text"], request["max_tokens"]

    def batch(self, inputs: list[tuple[str, int]]) -> list[tuple[str, int]]:
        return list(inputs)

    def predict(self, asked: list[tuple[str, int]]) -> list[int]:
        return self.model.answer(asked)

    def unbatch(self, output: list[int]) -> list[int]:
        return output

    def encode_response(self, tokens: int) -> dict[str, int]:
        return {"tokens": tokens}


def main() -> None:
    chat: Any = Chat(max_batch_size=BATCH, batch_timeout=WAIT_S)
    server: Any = litserve.LitServer(chat, accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)


if __name__ == "__main__":
    main()
