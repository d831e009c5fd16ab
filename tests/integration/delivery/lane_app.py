"""A Celery app for `test_lanes_in_a_worker.py`: bulk holds its thread until it is let go, the others end at once."""

from __future__ import annotations

import time
from typing import Any

from sightline.celery.app import create_app
from sightline.celery.intake import add_intake
from sightline.celery.lanes import add_lane_steps
from sightline.pipelines.queues import DETECT_TASK
from sightline.redis.connection import connect
from sightline.settings import load_settings

settings = load_settings()
redis = connect(settings.redis_url)
app = create_app(settings)
add_lane_steps(app)
add_intake(app, lambda queue, raw, error: redis.rpush("refused", f"{queue}: {error}: {raw}"))


@app.task(name=DETECT_TASK)
def note(message: dict[str, Any]) -> None:
    redis.rpush("begun", message["lane"])
    while message["lane"] == "bulk" and not redis.exists("nobody holds") and not redis.lpop("let go"):
        time.sleep(0.01)
    redis.rpush("ended", message["lane"])
