"""The transcribe stage: cuts recordings into shards, reads one, puts together what was read of all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from sightline.blobs.names import frames_name
from sightline.errors import BadMessageError, FrameMissingError, PoisonError
from sightline.pipelines import registry
from sightline.pipelines.ask import AskOptions, AskResult
from sightline.pipelines.speech import Missing, TranscribeOptions, TranscribeResult
from sightline.types import FrameError, Item, Pipeline, StageRun
from sightline.wire.messages import MAX_SHARDS, Job, Message
from sightline.wire.models import LoadedModel
from sightline.wire.parts import Part, shard_key
from workers.batching.batcher import Batcher
from workers.batching.outcomes import outcome_of
from workers.speech.cutting import cut, most_pieces
from workers.speech.decoding import Sound
from workers.speech.engine import Heard, SpeechEngine, Stretch
from workers.speech.opening import open_engine
from workers.speech.voice import find_speech
from workers.stages.services import Services
from workers.stages.speech.merging import CUT_OFF, Merged, shifted
from workers.stages.speech.shards import Shard
from workers.stages.step import Step

_STAGE = "transcribe"


def open_stage(services: Services) -> TranscribeStage:
    return TranscribeStage(services, open_engine(services.settings))


class TranscribeStage:
    """One engine for all jobs of the process. Stretches of speech stand in line for it, by lane."""

    task = f"sightline.{_STAGE}"

    def __init__(self, services: Services, engine: SpeechEngine) -> None:
        self._services = services
        self._engine = engine
        self._runner: Batcher[Stretch, Heard] = Batcher(
            engine.read, max_batch_size=1, max_wait_ms=0, name=_STAGE, calls_at_once=engine.model.calls_at_once
        )
        self.runners = {_STAGE: self._runner}

    def close(self) -> None:
        self._runner.close()

    @property
    def models(self) -> list[LoadedModel]:
        """Those that are open."""
        return [self._engine.model]

    def split(self, step: Step) -> Iterator[bytes]:
        """Decodes while it is asked for more: no more than one shard of a recording is held at once."""
        job, done_s = step.message.job, 0.0
        for number in range(len(job.frames)):
            try:
                for shard in self._shards(job, number):
                    done_s += shard.end_s - shard.start_s
                    step.context.progress(done_s)
                    yield shard.pack()
            except PoisonError as error:
                bad = FrameError(reason=error.reason, message=str(error)[:500], stage=_STAGE)
                yield Shard(number, error=bad).pack()

    def work(self, step: Step) -> Step:
        """Read one shard. The other items of the job have nothing here."""
        assert step.shard is not None
        waited_ms = max(0.0, (time.time() - step.message.handed_over_at) * 1000)
        shard, job = Shard.unpack(step.shard), step.message.job
        results = [TranscribeResult(frame=item) for item in job.frames]
        item = job.frames[shard.item]
        if shard.error is not None:
            results[shard.item] = TranscribeResult(frame=item, error=shard.error)
        else:
            results[shard.item] = self._read(shard, item, step, waited_ms)
        return self._leave(job, results)

    def merge(self, step: Step, parts: Sequence[Part]) -> Step:
        """Every item's words in the order of their times. A shard that failed is a gap that the result tells of."""
        job = step.message.job
        merged = [Merged(item) for item in job.frames]
        at = 0
        for number, part in enumerate(parts):
            if part.has_failed:
                error = part.results[0].error
                assert error is not None
                shard = self._shard(job, number) if len(parts) > 1 else Shard(0, error=error)
                at = at if shard is None else shard.item
                merged[at].fail(shard, error)
                continue
            for at_item, (one, left) in enumerate(zip(merged, part.results, strict=True)):
                result = left.reading if isinstance(left, AskResult) else left
                assert isinstance(result, TranscribeResult)
                if result.error or result.duration_s is not None:
                    at = at_item
                    one.add(result)
        return self._leave(job, [one.result(self._engine.name) for one in merged])

    def _shards(self, job: Job, number: int) -> Iterator[Shard]:
        """Those of one item, sound after sound; there is at least one.

        Raises PoisonError: the item cannot be read, or not on from there.
        """
        item, settings, start_s = job.frames[number], self._services.settings, 0.0
        self._engine.check(self._options(job, item))
        keys = [part.key for part in item.parts if part.medium == "audio" and part.key]
        if not keys and job.pipeline == Pipeline.ASK:
            yield Shard(number)
            return
        if not keys:
            raise BadMessageError(f"item {item.frame_id}: there is no sound in it", field="parts")
        most = max(1, MAX_SHARDS // (len(job.frames) * len(keys)) - 1)
        for key in keys:
            (data,) = self._services.frames.get_bundle(frames_name(job.job_id), [key])
            if data is None:
                text = f"sound {key} is not in the frame store (never put there, or its TTL is over)"
                raise FrameMissingError(text, frame_id=item.frame_id)
            sound = Sound(data, item.name, settings.max_sound_s)
            try:
                lengths = most_pieces(most, sound.said_s, settings.max_sound_s, settings.speech_shard_s)
                for samples in cut(sound.blocks(), lengths):
                    shard = Shard(number, start_s, samples)
                    start_s = shard.end_s
                    yield shard
                if sound.ended_early is not None:
                    end_s = start_s + (sound.said_s or sound.duration_s) - sound.duration_s
                    lost = Missing(start_s=start_s, end_s=end_s, reason=CUT_OFF, message=sound.ended_early)
                    yield Shard(number, start_s, missing=lost)
            finally:
                sound.close()

    def _read(self, shard: Shard, item: Item, step: Step, waited_ms: float) -> TranscribeResult:
        options, engine = self._options(step.message.job, item), self._engine
        stretches = find_speech(shard.sound, options, longest_s=engine.longest_s, pause_s=engine.pause_s)
        one, spent_ms = Merged(item), 0.0
        for stretch, ticket in zip(stretches, self._runner.submit(stretches, step.message.job.lane), strict=True):
            outcome = outcome_of(ticket, _STAGE)
            start_s, end_s = shard.start_s + stretch.start_s, shard.start_s + stretch.end_s
            step.context.progress(end_s)
            if isinstance(outcome, FrameError):
                lost = Missing(start_s=start_s, end_s=end_s, reason=outcome.reason, message=outcome.message)
                one.missing.append(lost)
                continue
            spent_ms += outcome.inference_ms
            one.language = one.language or outcome.value.language
            one.segments += shifted(outcome.value.segments, start_s)
        if shard.missing is not None:
            one.missing.append(shard.missing)
        one.language = one.language or options.language
        one.duration_s, one.model = shard.end_s, engine.model.name
        one.run = StageRun(
            stage=_STAGE,
            model=engine.model.name,
            model_sha256=engine.model.sha256,
            runtime=engine.model.runtime,
            worker=self._services.worker_name,
            queue_wait_ms=waited_ms,
            inference_ms=spent_ms,
            batch_size=1,
        )
        return one.result(engine.name)

    def _shard(self, job: Job, number: int) -> Shard | None:
        """What a shard was that failed; None: it is not there any more."""
        (data,) = self._services.frames.get_many([shard_key(job.job_id, _STAGE, number)])
        return None if data is None else Shard.unpack(data)

    def _options(self, job: Job, item: Item) -> TranscribeOptions:
        if job.pipeline == Pipeline.ASK:
            said = AskOptions.model_validate(item.options or {}).of_speech
        else:
            said = TranscribeOptions.model_validate(item.options or {})
        language = said.language or self._services.settings.speech_language or None
        return said.model_copy(update={"language": language})

    def _leave(self, job: Job, results: Sequence[TranscribeResult]) -> Step:
        left = map(AskResult.of_reading, results) if job.pipeline == Pipeline.ASK else results
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=tuple(left)))
