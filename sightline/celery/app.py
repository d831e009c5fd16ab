"""Celery, configured. No task is imported here: producers send by name, workers register their own.

Each choice that differs from Celery's default exists because the default loses or stalls work on Redis;
`docs/why/delivery.md` explains them one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sightline.celery.fairness import threads_for
from sightline.celery.transport import transport_of
from sightline.pipelines import registry
from sightline.redis.kombu_url import for_kombu

if TYPE_CHECKING:
    from celery import Celery

    from sightline.settings import Settings


#: A question to workers beside Celery's: of which version they are.
ABOUT: Final = "about_sightline"


def create_app(settings: Settings) -> Celery:
    """A Celery app for producers and workers alike. Connects to nothing yet."""
    from celery import Celery

    url = settings.celery_broker_url
    transport = transport_of(url)
    options = transport.options(settings)
    known = registry()
    if not url.startswith("amqp"):
        url, of_redis = for_kombu(url)
        options |= of_redis
    app = Celery("sightline", broker=url, set_as_current=False)
    app.conf.update(
        task_queues=transport.task_queues(),
        task_routes={task: {"queue": queue} for task, queue in known.routes.items()},
        task_default_queue=known.queues[0],
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
        broker_pool_limit=threads_for(settings.concurrency(known.roles)) + 4,
        broker_transport_options=options,
    )
    return app
