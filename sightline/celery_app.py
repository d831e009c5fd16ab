"""Celery, configured. No task is imported here: producers send by name, workers register their own.

Each choice that differs from Celery's default exists because the default loses or stalls work on Redis;
`docs/delivery.md` explains them one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.queues import LANE_PRIORITY, QUEUES, ROUTES

if TYPE_CHECKING:
    from celery import Celery

    from sightline.settings import Settings

#: How often unacknowledged messages of dead workers are looked for.
_RESTORE_INTERVAL_S = 5


def create_app(settings: Settings) -> Celery:
    """A Celery app for producers and workers alike. Connects to nothing yet."""
    from celery import Celery
    from kombu.entity import Queue

    app = Celery("sightline", broker=settings.redis_url, set_as_current=False)
    app.conf.update(
        task_queues=[Queue(name, routing_key=name) for name in QUEUES],
        task_routes={task: {"queue": queue} for task, queue in ROUTES.items()},
        task_default_queue=QUEUES[0],
        task_create_missing_queues=False,  # a misspelt queue fails instead of filling unseen
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        result_backend=None,  # results are rows; the result board serves those who wait
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # a message waits in Redis, where any worker may take it
        worker_send_task_events=False,  # events cost 65 % more CPU per task; Flower shows workers without them
        task_send_sent_event=False,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        enable_utc=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a full or read-only Redis must not end a worker
        broker_pool_limit=max(settings.detect_concurrency, settings.ocr_concurrency, settings.write_concurrency) + 4,
        broker_transport_options=_transport_options(settings),
    )
    return app


def _transport_options(settings: Settings) -> dict[str, Any]:
    if not settings.redis_url.startswith(("redis", "unix")):
        return {"confirm_publish": True}
    return {
        "visibility_timeout": settings.visibility_timeout_s,
        "unacked_restore_interval": _RESTORE_INTERVAL_S,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 15,  # a sweeper that dies in its sweep blocks the others no longer than this
        "priority_steps": sorted(LANE_PRIORITY.values()),  # one list a lane, served in this order
        "socket_timeout": 10,  # a silent peer must not hang the worker's main loop
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry_on_timeout": False,  # a repeated LPUSH would be a second message
        "max_connections": 64,
        "body_encoding": "utf-8",
    }
