"""The deliver role under test: `python -m benchmarks.chaos.roles.deliver`, as `python -m workers.deliver` but that its
leases are about as short as the other time-outs here, and that its ids can be switched off.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks.chaos.switches import WITHOUT
from sightline.ids import new_id
from storage.sinks.deliveries import DueDelivery
from workers.deliver import runner
from workers.deliver.__main__ import main
from workers.deliver.webhook import WebhookSender

_send = WebhookSender.send


async def _send_again_under_new_id(self: Any, delivery: DueDelivery) -> None:
    await _send(self, delivery if delivery.attempts == 1 else delivery._replace(delivery_id=new_id()))


if __name__ == "__main__":
    runner.BATCH_S, runner.MARGIN_S = 2.0, 3.0
    if "webhook-id" in os.environ.get(WITHOUT, "").split(","):
        WebhookSender.send = _send_again_under_new_id
    raise SystemExit(main())
