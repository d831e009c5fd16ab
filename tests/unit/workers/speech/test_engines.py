"""What every engine keeps to. Those that need weights or a server have stand-ins for these."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import BadMessageError
from sightline.pipelines.speech import Segment, TranscribeOptions
from sightline.settings import Settings
from tests.voices import RATE, STORY, Samples, noise, say, silence
from workers.speech.engine import Heard, SpeechEngine, Stretch
from workers.speech.opening import open_engine

ENGINES = ("pocketsphinx", "stub")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> SpeechEngine:
    return open_engine(Settings(speech_engine=request.param))


def stretch(samples: Samples, **options: object) -> Stretch:
    return Stretch(samples, 0.0, TranscribeOptions.model_validate(options))


def heard(engine: SpeechEngine, *samples: Samples, **options: object) -> list[Heard]:
    outcomes = engine.read([stretch(one, **options) for one in samples])
    assert all(isinstance(one, Heard) for one in outcomes), outcomes
    return [one for one in outcomes if isinstance(one, Heard)]


def test_one_outcome_a_stretch_in_order_whatever_is_beside_it(engine: SpeechEngine) -> None:
    one, other = say(STORY[2]), say(STORY[1])
    first, second = heard(engine, one, other)
    assert heard(engine, other) == [second]
    assert heard(engine, noise(1), one)[1] == first
    assert heard(engine) == []


def test_times_are_within_the_stretch_and_in_order(engine: SpeechEngine) -> None:
    sound = np.concatenate([silence(0.2), say(STORY[4]), silence(0.2)])
    for result in heard(engine, sound):
        assert result.segments
        at_s = 0.0
        for segment in result.segments:
            assert segment.text
            assert segment.text == segment.text.strip()
            assert at_s <= segment.start_s < segment.end_s <= len(sound) / RATE + 0.02
            at_s = segment.start_s
            _check_words(segment)


def _check_words(segment: Segment) -> None:
    for before, after in zip(segment.words, segment.words[1:], strict=False):
        assert before.start_s < before.end_s <= after.start_s + 0.02
    for word in segment.words:
        assert segment.start_s <= word.start_s
        assert word.end_s <= segment.end_s + 0.02
        assert word.confidence is None or 0 <= word.confidence <= 1


def test_words_are_left_out_on_request(engine: SpeechEngine) -> None:
    (result,) = heard(engine, say(STORY[4]), words=False)
    assert result.segments
    assert all(segment.words == () for segment in result.segments)


def test_a_click_and_silence_are_no_error(engine: SpeechEngine) -> None:
    heard(engine, silence(0.3), noise(0.1))


def test_pocketsphinx_reads_english_and_says_what_it_cannot() -> None:
    engine = open_engine(Settings())
    (result,) = heard(engine, np.concatenate([silence(0.3), say(STORY[4]), silence(0.3)]))
    text = " ".join(segment.text for segment in result.segments)
    assert {"on", "the", "table", "we", "found"} <= set(text.split())
    assert result.language == "en"
    engine.check(TranscribeOptions(language="en"))
    with pytest.raises(BadMessageError, match=r"'pocketsphinx' does not know 'sk'; it reads en; leave it out, or set"):
        engine.check(TranscribeOptions(language="sk"))
    with pytest.raises(BadMessageError, match=r"options\.prompt: the engine 'pocketsphinx' has no such option"):
        engine.check(TranscribeOptions(prompt="Sightline"))
