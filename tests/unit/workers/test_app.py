"""What a worker consumes."""

from __future__ import annotations

from sightline.celery.app import create_app
from sightline.settings import load_settings
from workers.app import consumed_queues


def test_who_names_no_queue_gets_none_that_needs_packages_of_its_own() -> None:
    queues = create_app(load_settings()).amqp.queues
    all_of_them = consumed_queues(queues)
    assert {"gpu.detect", "cpu.ocr", "db.write"} <= all_of_them
    assert all_of_them.isdisjoint({"gpu.chat", "cpu.transcribe"})
    queues.select(["gpu.chat", "db.write"])
    assert consumed_queues(queues) == {"gpu.chat", "db.write"}
