"""The transcribe stage: cut, read piece by piece, put together; bad input costs its item alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from sightline.errors import EngineUnavailableError
from sightline.pipelines import as_results, check_results
from sightline.pipelines.queues import ARRIVE, WRITE_TASK
from sightline.pipelines.speech import TranscribeResult, Word
from sightline.settings import Settings
from sightline.submission.jobs import make_job
from sightline.submission.sounds import NewSound
from sightline.types import FrameError
from sightline.wire.messages import Message
from sightline.wire.parts import Part, shard_key
from tests.voices import STORY, as_kind, as_wav, noise, say, silence, talk
from workers.speech.engine import Heard, SpeechEngine, Stretch
from workers.speech.opening import open_engine
from workers.speech.stub import StubEngine
from workers.stages.speech.stage import TranscribeStage
from workers.stages.step import Step


class Memory(dict[str, bytes]):
    def get_bundle(self, _name: str, keys: Sequence[str]) -> list[bytes | None]:
        return self.get_many(keys)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.get(key) for key in keys]


class Reader:
    """Does with a stage what its runner does with it."""

    def __init__(self, engine: SpeechEngine, **settings: Any) -> None:
        self.frames = Memory()
        services: Any = SimpleNamespace(settings=Settings(**settings), frames=self.frames, worker_name="here")
        self.stage = TranscribeStage(services, engine)

    def read(
        self, *sounds: bytes, lose: Callable[[int], bool] = lambda _: False, **options: Any
    ) -> list[TranscribeResult]:
        new = [NewSound(data, datetime.now(UTC), f"call{number}") for number, data in enumerate(sounds)]
        job, stored = make_job(new, None, pipeline="transcribe", lane="bulk", source_id="desk", options=options or None)
        self.frames |= stored
        step = Step(self.stage.task, Message(job=job))
        shards = list(self.stage.split(step))
        self.count = len(shards)
        for number, shard in enumerate(shards):
            self.frames[shard_key(job.job_id, "transcribe", number)] = shard
        parts: list[Part] = []
        for number, shard in enumerate(shards):
            if lose(number):
                error = FrameError(reason="worker_lost", message="its workers died", stage="transcribe")
                parts.append(Part(tuple(TranscribeResult(frame=item, error=error) for item in job.frames)))
            else:
                done = self.stage.work(replace(step, shard=shard))
                assert done.task in (WRITE_TASK, ARRIVE)
                checked = check_results(job.pipeline, done.message.results, job.frames, "transcribe")
                parts.append(Part.unpack(Part(checked).pack()))
        typed = [replace(part, results=as_results("transcribe", part.results)) for part in parts]
        merged = self.stage.merge(step, typed).message.results
        return [cast("TranscribeResult", one) for one in merged]


@pytest.fixture(scope="module")
def sphinx() -> SpeechEngine:
    return open_engine(Settings())


def spoken(result: TranscribeResult) -> list[Word]:
    return [word for segment in result.segments for word in segment.words]


def test_cut_or_not_the_text_is_the_same_and_so_are_the_times(sphinx: SpeechEngine) -> None:
    sound = as_wav(talk(5, pause_s=1.2))
    whole, cut = Reader(sphinx, speech_shard_s=600), Reader(sphinx, speech_shard_s=5)
    (uncut,), (pieces,) = whole.read(sound), cut.read(sound)
    assert (whole.count, cut.count > 2) == (1, True)
    assert uncut.text == pieces.text
    assert {"on", "the", "table", "we", "found"} <= {word.text for word in spoken(uncut)}
    for one, other in zip(spoken(uncut), spoken(pieces), strict=True):
        assert (one.text, one.start_s) == (other.text, pytest.approx(other.start_s, abs=0.3))
    assert uncut.duration_s == pieces.duration_s
    assert (pieces.language, pieces.engine, pieces.model, pieces.missing) == ("en", "pocketsphinx", "en-us", ())
    assert all(before.end_s <= after.start_s for before, after in pairwise(pieces.segments))
    (run,) = pieces.stages
    assert (run.model, run.runtime, run.worker) == ("en-us", "pocketsphinx", "here")


def test_a_silent_recording_has_an_empty_text() -> None:
    (result,) = Reader(StubEngine()).read(as_wav(silence(3)))
    assert (result.error, result.text, result.segments, result.duration_s) == (None, "", (), 3.0)
    assert not result.has_found


def test_a_shard_that_failed_is_a_gap_that_is_told() -> None:
    reader = Reader(StubEngine(), speech_shard_s=5)
    (result,) = reader.read(as_wav(talk(5, pause_s=1.2)), lose=lambda number: number == 1)
    assert reader.count > 2
    (missing,) = result.missing
    assert (missing.reason, missing.message) == ("worker_lost", "its workers died")
    assert 3 < missing.start_s < 7 < missing.end_s < 13
    assert result.segments
    assert not any(missing.start_s < one.end_s and one.start_s < missing.end_s for one in result.segments)
    assert "could not be read" in result.summary


def test_a_stretch_that_the_engine_fails_on_costs_no_other() -> None:
    class Moody(StubEngine):
        def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
            return [
                RuntimeError("too fast") if one.start_s > 3 else heard
                for one, heard in zip(stretches, super().read(stretches), strict=True)
            ]

    (result,) = Reader(Moody()).read(as_wav(talk(3, pause_s=1.2)))
    assert result.segments
    assert {one.reason for one in result.missing} == {"model_failed"}
    assert "RuntimeError: too fast" in result.missing[0].message


def test_where_nothing_can_be_read_there_is_an_error() -> None:
    class Broken(StubEngine):
        def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
            return [RuntimeError("no weights") for _ in stretches]

    (result,) = Reader(Broken()).read(as_wav(talk(2)))
    assert result.error is not None
    assert (result.error.reason, "no weights" in result.error.message) == ("model_failed", True)


def test_an_engine_that_does_not_answer_is_waited_for() -> None:
    class Away(StubEngine):
        def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
            raise EngineUnavailableError("no answer")

    with pytest.raises(EngineUnavailableError):
        Reader(Away()).read(as_wav(talk(1)))


def test_bad_input_is_an_error_of_its_item_and_harms_no_other() -> None:
    good = as_wav(np.concatenate([silence(0.5), say(STORY[1]), silence(0.5)]))
    reader = Reader(StubEngine(), max_sound_s=20)
    results = reader.read(good, b"a letter", as_kind(noise(30), "flac"), as_wav(silence(2)))
    assert [one.error.reason if one.error else one.text != "" for one in results] == [
        True,
        "bad_sound",
        "bad_sound",
        False,
    ]
    assert results[1].error is not None
    assert results[1].error.message.startswith("'call1' is no sound that can be read; give a whole recording")
    assert results[2].error is not None
    assert "at most 0.00556 hours are read" in results[2].error.message
    (alone,) = reader.read(b"a letter")
    assert alone.error is not None
    assert alone.error.reason == "bad_sound"


def test_of_a_cut_off_file_the_text_is_there_and_what_is_missing(sphinx: SpeechEngine) -> None:
    whole = as_wav(talk(3))
    (result,) = Reader(sphinx).read(whole[: len(whole) // 2])
    assert result.text
    (missing,) = result.missing
    assert missing.reason == "cut_off"
    assert "the file is cut off or damaged at" in missing.message
    assert missing.start_s == pytest.approx(result.duration_s, abs=0.1)
    assert missing.end_s == pytest.approx((len(whole) - 44) / 32000, abs=0.1)


def test_languages_and_options(sphinx: SpeechEngine) -> None:
    sound = as_wav(talk(1))
    (result,) = Reader(sphinx).read(sound, language="sk")
    assert result.error is not None
    assert result.error.message.startswith("options.language: the engine 'pocketsphinx' does not know 'sk'")
    (result,) = Reader(sphinx, speech_language="de").read(sound)
    assert result.error is not None
    assert "'de'" in result.error.message
    (result,) = Reader(StubEngine()).read(sound, language="fr", words=False)
    assert (result.language, result.segments[0].words) == ("fr", ())


def test_a_job_whose_sound_is_gone_says_so() -> None:
    reader = Reader(StubEngine())
    reader.frames = Memory()
    lost: Any = reader.stage
    lost._services.frames = SimpleNamespace(get_bundle=lambda *_: [None], get_many=lambda keys: [None for _ in keys])
    (result,) = reader.read(as_wav(talk(1)))
    assert result.error is not None
    assert result.error.reason == "frame_missing"
