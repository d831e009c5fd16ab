"""The write stage: keep pictures, store everything in one transaction, then notify and settle, and free the pixels."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from prometheus_client.core import Metric

from sightline.blobs.names import frames_name
from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.celery.lease import held_requests
from sightline.chat.token_budget import TokenBudget, used_by
from sightline.delivery.publisher import Publisher
from sightline.delivery.sweeper import Sweeper
from sightline.errors import BadMessageError, BrokerUnavailableError, FrameMissingError, StoreUnavailableError
from sightline.metrics.families import counters, gauge
from sightline.pipelines import registry
from sightline.pipelines.chat import ChatResult
from sightline.pipelines.queues import WRITE_TASK
from sightline.redis.connection import connect
from sightline.types import ItemResult
from sightline.wire.messages import Message
from storage.database.causes import LASTING
from storage.database.opening import open_database
from storage.database.pool import PoolMetrics
from storage.database.revision import check_revision
from storage.items.writers import RowsOfPipelines
from storage.jobs.accepted import Accepted
from storage.results.dead_letters import bury_message
from storage.results.store import Store, Stored
from storage.zones import ZoneReader
from workers.batching.batcher import Batcher
from workers.housekeeping.camera_health import CameraHealthWatch
from workers.housekeeping.rebuild import Rebuild
from workers.housekeeping.retention import Retention
from workers.stages.payloads import bundles_of
from workers.stages.services import Services
from workers.stages.step import Step

log = logging.getLogger(__name__)

#: Frames in one transaction, at most, or one job. What comes meanwhile has to wait for its end, live frames too.
_MAX_FRAMES = 64
#: Bulk alone is written five times a second at most, unless half of the jobs in this process wait for it. Twice as
#: often, a commit had half as many frames where models take 25 ms for each; less often, half of the jobs wait before.
_BULK_PACE_MS = 200


def open_stage(services: Services) -> WriteStage:
    return WriteStage(services)


class WriteStage:
    """A group commit in front of the database: whatever waits while one transaction runs shares the next."""

    task = WRITE_TASK

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._services = services
        self._pictures: FrameStore = open_frame_store(settings.picture_store_url, ttl_s=None)
        self._database = open_database(settings.sqlalchemy_url)
        check_revision(self._database)
        self._store = Store(self._database, RowsOfPipelines(settings))
        self._zones = ZoneReader(self._database)
        self.runners: dict[str, Batcher[tuple[Message, frozenset[str]], Stored]] = {
            "write": Batcher(
                self._store_group,
                max_batch_size=_MAX_FRAMES,
                max_wait_ms=0,
                name="write",
                pace_ms=_BULK_PACE_MS,
                in_hand=lambda: len(held_requests()),
                size_of=lambda item: len(item[0].job.frames),
            )
        }
        delivery = services.delivery
        self._accepted = Accepted.from_settings(self._database, settings)
        rebuild = Rebuild(
            self._database,
            self._accepted,
            Publisher(delivery.ledger, services.frames, delivery.broker),
        )
        with suppress(BrokerUnavailableError):  # said by the sweeper
            rebuild.run()  # before anything is written: into which database, and what counts as done in it
        self._sweeper = Sweeper(
            delivery.ledger,
            delivery.broker,
            services.frames,
            interval_s=settings.sweep_interval_s,
            max_attempts=settings.max_attempts,
            afterwards=rebuild.run,
        )
        self._sweeper.start()
        self._retention = Retention(self._database, self._pictures, settings)
        self._retention.start()
        redis = connect(settings.redis_url)
        self._tokens = TokenBudget(redis)
        self._camera_health = CameraHealthWatch(self._database, redis)
        self._camera_health.start()

    def work(self, step: Step) -> None:
        message = step.message.per_item()
        if self._is_worth_another_try(message):
            return
        message = self._zones.apply(message)
        kept = self._keep_pictures(message)
        self.runners["write"].submit([(message, kept)], message.job.lane)[0].result()
        self._services.frames.delete_bundles(bundles_of(message))

    def bury_message(self, letter: dict[str, Any]) -> None:
        """Store a message that was no job as a dead letter."""
        bury_message(self._database, letter)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads of a writer beside what it reads of any worker."""
        yield from PoolMetrics(self._database).collect()
        yield counters(
            "sightline_swept_jobs", "Overdue jobs that were sent again or ended.", (), {(): self._sweeper.swept}
        )
        yield gauge("sightline_sweep_age_seconds", "Since the last sweep that came to its end.", self._sweeper.age_s)

    def close(self) -> None:
        self._sweeper.stop()
        self._retention.stop()
        self._camera_health.stop()
        self.runners["write"].close()
        self._database.close()

    def _is_worth_another_try(self, message: Message) -> bool:
        """Whether pixels that Redis lost on the way were found again; then the job starts over, with them."""
        job, attempt = message.job, message.job.attempt + 1
        lacks_pixels = any(
            result.error and result.error.reason == FrameMissingError.reason for result in message.results
        )
        if not lacks_pixels or attempt > self._services.settings.max_attempts:
            return False
        if not self._accepted.restore_pixels(self._services.frames, job):
            return False
        delivery = self._services.delivery
        if registry().graph(job.pipeline) is not None:
            delivery.ledger.arrivals.forget(job.job_id)  # what arrived did so without those pixels
        for first in registry().first_tasks(job.pipeline):
            delivery.hand_over(first, job.model_copy(update={"attempt": attempt}), ())
        return True

    def _store_group(self, group: list[tuple[Message, frozenset[str]]]) -> Sequence[Stored | Exception]:
        kept = frozenset[str]().union(*(frame_ids for _, frame_ids in group))
        try:
            stored = self._stored([message for message, _ in group], kept)
            self._correct_tokens(stored)
            self._services.delivery.ledger.settle_together(
                [(each.job_id, each.counts, each.result.model_dump_json()) for each in stored]
            )
            return stored
        except StoreUnavailableError as error:
            if error.cause in LASTING:
                raise  # it may be about a table that only some of them need
            return [error] * len(group)  # raised, it would run each alone into the same time-out, one after the other
        except BrokerUnavailableError as error:
            return [error] * len(group)

    def _correct_tokens(self, stored: list[Stored]) -> None:
        """Of questions, what they cost in place of what was taken for them. It goes by itself within a minute."""
        answers = {
            each.job_id: used_by(each.result.frames)
            for each in stored
            if any(isinstance(one, ChatResult) for one in each.result.frames)
        }
        if answers:
            with suppress(BrokerUnavailableError):
                self._tokens.correct(answers)

    def _stored(self, messages: list[Message], kept: frozenset[str]) -> list[Stored]:
        try:
            return self._store.store(messages, kept)
        except BadMessageError:
            if len(messages) > 1:
                raise  # and each is tried alone
        # Another writer may have been in the way of a key. It is not twice: then the message is at fault.
        return self._store.store(messages, kept)

    def _keep_pictures(self, message: Message) -> frozenset[str]:
        """Copy what the policy keeps of items. Before the commit, so that every row's picture is there. Returns the ids
        of those that are kept whole."""
        wanted = [result.frame for result in message.results if self._is_kept(result)]
        if not wanted:
            return frozenset()
        keys = [key for item in wanted for key in item.keys]
        blobs = self._services.frames.get_bundle(frames_name(message.job.job_id), keys)
        pictures = {key: data for key, data in zip(keys, blobs, strict=True) if data is not None}
        # When the message is repeated the pixels may be freed already and the picture kept before.
        missing = [key for key in keys if key not in pictures]
        before = zip(missing, self._pictures.get_many(missing), strict=True)
        self._pictures.put_many(pictures)
        there = {*pictures, *(key for key, data in before if data is not None)}
        return frozenset(item.frame_id for item in wanted if item.keys and there.issuperset(item.keys))

    def _is_kept(self, result: ItemResult) -> bool:
        policy = self._services.settings.keep_pictures
        if policy == "none" or result.dropped:
            return False
        # What is dead can be replayed only with its pixels.
        return bool(policy == "all" or result.error or result.has_found)
