"""What every engine keeps to. Those that need weights or a server have stand-ins for these."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from sightline.errors import BadMessageError, EngineUnavailableError, ModelError, SettingsError
from sightline.pipelines.speech import Segment, TranscribeOptions
from sightline.settings import Settings
from sightline.wire.models import LoadedModel
from tests.voices import RATE, STORY, Samples, noise, say, silence
from workers.speech.engine import Heard, SpeechEngine, Stretch
from workers.speech.openai import OpenAiEngine
from workers.speech.opening import open_engine
from workers.speech.whisper import WhisperEngine

ENGINES = ("pocketsphinx", "stub", "openai", "whisper")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> SpeechEngine:
    if request.param == "openai":
        return OpenAiEngine(SERVER, httpx.MockTransport(answer))
    if request.param == "whisper":
        return WhisperEngine(Whisper(), LoadedModel(name="whisper-base", sha256="", runtime="openvino"))
    return open_engine(Settings(speech_engine=request.param))


SERVER = Settings(
    speech_engine="openai", speech_url="http://server/v1/", speech_model="base", speech_api_key=SecretStr("k")
)


def answer(request: httpx.Request) -> httpx.Response:
    """As a server does that hears a word a second, and says after how many samples."""
    form = request.read()
    assert request.url == "http://server/v1/audio/transcriptions"
    assert request.headers["authorization"] == "Bearer k"
    samples = (form.index(b"\r\n--", form.index(b"RIFF")) - form.index(b"RIFF") - 44) // 2
    duration_s = samples / RATE
    words = [{"word": f" w{at}", "start": at * duration_s / 3, "end": (at + 1) * duration_s / 3} for at in range(3)]
    text = " ".join(f"w{at}" for at in range(3))
    segment = {"id": 0, "start": 0.0, "end": duration_s, "text": f" {text}", "avg_logprob": -0.1, "tokens": [1]}
    told = {"text": text, "language": "english", "segments": [segment], "task": "transcribe", "duration": duration_s}
    return httpx.Response(200, json=told | ({"words": words} if b"word\r\n" in form else {}))


class Whisper:
    """What openvino-genai's WhisperPipeline is to the engine."""

    def get_generation_config(self) -> Any:
        return SimpleNamespace(lang_to_id={"<|en|>": 1, "<|sk|>": 2})

    def generate(self, sound: Any, **said: Any) -> Any:
        assert sound.dtype == np.float32
        assert abs(sound).max() <= 1
        self.said = said
        text, end_s = f" {len(sound)} samples", len(sound) / RATE
        times = ((0.0, end_s / 2), (end_s / 2, end_s))
        words = [
            SimpleNamespace(word=f" {word}", start_ts=start_s, end_ts=end_s)
            for word, (start_s, end_s) in zip(text.split(), times, strict=True)
        ]
        chunk = SimpleNamespace(start_ts=0.0, end_ts=-1.0, text=text)
        return SimpleNamespace(chunks=[chunk], words=words if said["word_timestamps"] else None, language="en")


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


def served(answer: httpx.Response | Exception) -> list[Heard | Exception]:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return OpenAiEngine(SERVER, httpx.MockTransport(handle)).read([stretch(silence(2))])


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_cannot_now_is_asked_again(status: int) -> None:
    with pytest.raises(EngineUnavailableError, match=f"http://server/v1: answered {status}: busy") as away:
        served(httpx.Response(status, json={"error": {"message": "busy"}}, headers={"retry-after": "7"}))
    assert away.value.retry_after_s == 7
    with pytest.raises(EngineUnavailableError, match="ConnectError: refused"):
        served(httpx.ConnectError("refused"))
    with pytest.raises(EngineUnavailableError, match="ReadTimeout"):
        served(httpx.ReadTimeout("nothing came"))


def test_a_server_that_refuses_is_quoted() -> None:
    (outcome,) = served(httpx.Response(400, json={"error": {"message": "no such language"}}))
    assert isinstance(outcome, BadMessageError)
    assert str(outcome) == "http://server/v1: answered 400: no such language"
    (outcome,) = served(httpx.Response(200, text="<html>"))
    assert isinstance(outcome, BadMessageError)
    assert "its answer is no transcription" in str(outcome)


def test_a_server_without_times_gives_one_segment() -> None:
    (outcome,) = served(httpx.Response(200, json={"text": "hello there"}))
    assert outcome == Heard((Segment(start_s=0, end_s=2.0, text="hello there"),), None)


def test_an_engine_that_lacks_something_says_what() -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_SPEECH_URL: empty; SIGHTLINE_SPEECH_ENGINE=openai needs it"):
        open_engine(Settings(speech_engine="openai"))
    with pytest.raises(ModelError, match=r"whisper: no model in ''; give SIGHTLINE_SPEECH_MODEL a folder as `optimum"):
        open_engine(Settings(speech_engine="whisper"))


def test_whisper_is_told_language_prompt_and_temperature() -> None:
    pipeline = Whisper()
    engine = WhisperEngine(pipeline, LoadedModel(name="base", sha256="", runtime="openvino"))
    heard(engine, silence(1), language="sk", prompt="Sightline", temperature=0.2)
    assert pipeline.said["language"] == "<|sk|>"
    assert (pipeline.said["initial_prompt"], pipeline.said["temperature"]) == ("Sightline", 0.2)
    with pytest.raises(BadMessageError, match="'whisper' does not know 'xx'; it reads en, sk"):
        engine.check(TranscribeOptions(language="xx"))
