"""The one way in: every producer publishes its jobs through here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from sightline.blobs.names import frames_name
from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.celery.app import create_app
from sightline.delivery.agreement import SameInstallation
from sightline.delivery.broker import Broker, task_id
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.errors import BacklogFullError, SightlineError
from sightline.pipelines import check_items, registry
from sightline.redis.connection import connect
from sightline.tracing import SpanKind, Tracer, current_traceparent, is_sampled, open_tracer
from sightline.types import FrameRef, Lane
from sightline.wire.about import about_job
from sightline.wire.messages import Job, Message

if TYPE_CHECKING:
    from sightline.settings import Settings

Keep = Callable[[Job, Mapping[str, bytes]], None]


class Published(NamedTuple):
    """What became of a job that was published."""

    refused: tuple[FrameRef, ...]  #: in the live lane those of sources with too much open already, else none
    is_known: bool  #: it is open already, or was finished not long ago: nothing was added


class Publisher:
    """Admission and ledger in one atomic step, then the pixels, then the message.

    A crash at any point leaves either nothing or a ledger entry, which the sweeper sends or turns into a dead letter.
    Safe to use from several threads.
    """

    def __init__(
        self,
        ledger: Ledger,
        frames: FrameStore,
        broker: Broker,
        keep: Keep | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.ledger = ledger
        self.frames = frames
        self.broker = broker
        self._keep = keep or _keep_nothing
        self._tracer = tracer or Tracer()
        self._require: Callable[[], None] = lambda: None

    @classmethod
    def from_settings(cls, settings: Settings, keep: Keep | None = None, tracer: Tracer | None = None) -> Publisher:
        """`keep` is called with each job that is about to be accepted, and its pixels; what it raises refuses it.

        `tracer` is that of the process, if it has one already.
        """
        publisher = cls(
            Ledger(connect(settings.redis_url), LedgerLimits.from_settings(settings)),
            open_frame_store(settings.frame_store_url, ttl_s=settings.frame_ttl_s),
            Broker(create_app(settings)),
            keep,
            tracer or open_tracer(settings, "producer"),
        )
        if settings.installation_id:
            same = SameInstallation(publisher.ledger.agreement, lambda: settings.installation_id, by_setting=True)
            publisher.only_if(same.require)
        return publisher

    def only_if(self, require: Callable[[], None]) -> None:
        """Ask `require` before each job; what it raises refuses it, and nothing of it is left."""
        self._require = require

    def publish(self, job: Job, pixels: Mapping[str, bytes]) -> tuple[FrameRef, ...]:
        """As `submit`; returns the frames that were refused."""
        return self.submit(job, pixels).refused

    def submit(self, job: Job, pixels: Mapping[str, bytes]) -> Published:
        """Publish a job with the bytes of its items, by key: of a picture that is the frame id. Publishing it again is
        a no-op.

        Raises:
            BadMessageError: its pipeline does not take such items.
            SettingsError: Redis works with another installation than `installation_id` of the settings.
            BacklogFullError: nothing was published (not in the live lane, unless the total limit is met).
            StoreUnavailableError, BrokerUnavailableError: not accepted, or not known to be. Publish again with the
                same ids.
        """
        check_items(job.pipeline, job.frames)
        self._require()
        cause = job.traceparent or current_traceparent()
        with self._tracer.span(f"publish {job.pipeline}", SpanKind.PRODUCER, cause) as span:
            published = self._publish(job.model_copy(update={"traceparent": span.traceparent}), pixels)
            if is_sampled(span.traceparent):
                span.note(**about_job(job), sightline__refused=len(published.refused) or None)
        return published

    def _publish(self, job: Job, pixels: Mapping[str, bytes]) -> Published:
        wanted = job.frames
        job, verdict = self._admit(job.model_copy(update={"entered": True}))
        if verdict == "admitted":
            self._put_new(job, pixels)
            message = Message(job=job).pack()
            for task in registry().first_tasks(job.pipeline):
                self.broker.send(task, message, task_id=task_id(job.job_id, task), lane=job.lane)
        elif verdict == "open":
            # An earlier try may have died between the ledger and the pixels; the sweeper sends its message.
            # The earlier try may have been accepted without some frames.
            job = self.ledger.open_job(job.job_id) or job
            self._put(job, pixels)
        elif verdict == "done" and (sources := self.ledger.done_sources(job.job_id)):
            frames = tuple(frame for frame in job.frames if frame.source_id in sources)
            job = job.model_copy(update={"frames": frames})
        accepted = set() if verdict == "refused" else {frame.frame_id for frame in job.frames}
        refused = tuple(frame for frame in wanted if frame.frame_id not in accepted)
        return Published(refused, is_known=verdict in ("open", "done"))

    def queue_depths(self) -> dict[str, int]:
        """Waiting messages per queue."""
        return self.broker.depths()

    def close(self) -> None:
        self.ledger.close()
        self._tracer.close()

    def _admit(self, job: Job) -> tuple[Job, Literal["admitted", "open", "done", "refused"]]:
        """Enter the job. In the live lane without the frames of full sources, which may leave nothing of it."""
        while True:
            try:
                return job, self.ledger.admit(job)
            except BacklogFullError as full:
                if job.lane is not Lane.LIVE or full.source_id is None:
                    raise
                frames = tuple(frame for frame in job.frames if frame.source_id != full.source_id)
                if not frames:
                    return job, "refused"
                job = job.model_copy(update={"frames": frames})

    def _put_new(self, job: Job, pixels: Mapping[str, bytes]) -> None:
        try:
            self._put(job, pixels)
        except SightlineError:
            self.ledger.withdraw(job)
            raise

    def _put(self, job: Job, pixels: Mapping[str, bytes]) -> None:
        wanted = {key: pixels[key] for frame in job.frames for key in frame.keys if key in pixels}
        self.frames.put_bundle(frames_name(job.job_id), wanted)
        self._keep(job, wanted)


def _keep_nothing(_job: Job, _pixels: Mapping[str, bytes]) -> None:
    """Redis is memory enough for whoever can submit again."""
