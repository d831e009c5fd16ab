"""Any server that speaks OpenAI's language: OpenAI, vLLM, Speaches, OpenVINO Model Server, another Sightline."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from typing import Any, Final

import httpx
from pydantic import BaseModel, ValidationError

from sightline.errors import BadMessageError, EngineUnavailableError, SettingsError
from sightline.pipelines.speech import SAMPLES_A_SECOND, Segment, TranscribeOptions, Word
from sightline.redaction import redact_url
from sightline.settings import SpeechSettings
from sightline.wire.models import LoadedModel
from workers.speech.engine import Heard, Samples, SpeechEngine, Stretch
from workers.speech.timing import with_words

_CONNECT_TIMEOUT_S: Final = 5.0
#: What a server says for a while: too many requests, being restarted, a proxy in front of none.
_FOR_A_WHILE: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


def open_openai(settings: SpeechSettings) -> SpeechEngine:
    """Raises SettingsError: it is not said where the server is, or which model it shall use."""
    for name in ("speech_url", "speech_model"):
        if not getattr(settings, name):
            raise SettingsError(f"SIGHTLINE_{name.upper()}: empty; SIGHTLINE_SPEECH_ENGINE=openai needs it")
    return OpenAiEngine(settings)


class _Word(BaseModel):
    word: str
    start: float
    end: float


class _Segment(BaseModel):
    start: float
    end: float
    text: str
    avg_logprob: float | None = None


class _Answer(BaseModel):
    """What is used of it. A server that knows no times gives the text alone."""

    text: str
    language: str | None = None
    segments: list[_Segment] | None = None
    words: list[_Word] | None = None


class OpenAiEngine:
    """A request a stretch, over connections that stay open."""

    name = "openai"
    longest_s = 28.0  #: what Whisper hears at once is 30 s
    pause_s = 1.5

    def __init__(self, settings: SpeechSettings, transport: httpx.BaseTransport | None = None) -> None:
        self.model = LoadedModel(
            name=settings.speech_model, sha256="", runtime="openai", calls_at_once=settings.speech_calls_at_once
        )
        key = settings.speech_api_key.get_secret_value()
        self._url = settings.speech_url.rstrip("/")
        self._shown = redact_url(self._url)
        self._client = httpx.Client(
            base_url=f"{self._url}/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(settings.speech_timeout_s, connect=_CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=settings.speech_calls_at_once),
            transport=transport,
        )

    def check(self, options: TranscribeOptions) -> None:
        """The server knows what it can."""

    def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
        return [self._read(stretch) for stretch in stretches]

    def _read(self, stretch: Stretch) -> Heard | Exception:
        """An exception where this stretch is at fault; raises EngineUnavailableError where waiting may help."""
        try:
            response = self._client.post(
                "audio/transcriptions",
                files={"file": ("sound.wav", _as_wav(stretch.samples), "audio/wav")},
                data=self._fields(stretch.options),
            )
        except httpx.HTTPError as error:
            raise EngineUnavailableError(f"{self._shown}: {type(error).__name__}: {error}") from error
        if response.status_code in _FOR_A_WHILE:
            raise EngineUnavailableError(
                f"{self._shown}: {_said(response)}", retry_after_s=_retry_after_s(response.headers.get("retry-after"))
            )
        if response.is_error:
            return BadMessageError(f"{self._shown}: {_said(response)}")
        try:
            answer = _Answer.model_validate_json(response.content)
        except ValidationError as error:
            return BadMessageError(f"{self._shown}: its answer is no transcription: {error.errors()[0]['msg']}")
        return _heard(answer, stretch)

    def _fields(self, options: TranscribeOptions) -> dict[str, Any]:
        given = {"language": options.language, "prompt": options.prompt, "temperature": options.temperature}
        wanted = ["segment", *(["word"] * options.words)]
        fields = {"model": self.model.name, "response_format": "verbose_json", "timestamp_granularities[]": wanted}
        return fields | {name: value for name, value in given.items() if value is not None}


def _heard(answer: _Answer, stretch: Stretch) -> Heard:
    words = [
        Word(text=one.word.strip(), start_s=max(0.0, one.start), end_s=max(0.0, one.start, one.end))
        for one in answer.words or ()
        if one.word.strip()
    ]
    said = answer.segments
    if said is None:
        said = [_Segment(start=0.0, end=stretch.duration_s, text=answer.text)]
    segments = [
        Segment(
            start_s=max(0.0, one.start),
            end_s=max(0.0, one.start, one.end),
            text=one.text.strip(),
            confidence=None if one.avg_logprob is None else round(math.exp(min(0.0, one.avg_logprob)), 4),
        )
        for one in said
        if one.text.strip()
    ]
    return Heard(with_words(segments, words), answer.language)


def _as_wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLES_A_SECOND)
        target.writeframes(samples.tobytes())
    return file.getvalue()


def _said(response: httpx.Response) -> str:
    """The status and what the server says about it, in a line."""
    try:
        error: Any = response.json()
        text = error["error"]["message"] if isinstance(error["error"], dict) else error["error"]
    except (ValueError, KeyError, TypeError):
        text = response.text
    return f"answered {response.status_code}: {' '.join(str(text).split())[:200]}"


def _retry_after_s(header: str | None) -> float:
    return min(30.0, float(header)) if header and header.isdigit() else 1.0
