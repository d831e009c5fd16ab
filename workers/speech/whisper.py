"""Whisper, from a folder with the model in OpenVINO's format: many languages, on a CPU or an Intel GPU."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import ModelError
from sightline.pipelines.speech import Segment, TranscribeOptions, Word
from sightline.settings import Settings
from sightline.wire.models import LoadedModel
from workers.speech.engine import Heard, SpeechEngine, Stretch, refuse_unknown
from workers.speech.timing import with_words

_CURE = (
    "give SIGHTLINE_SPEECH_MODEL a folder as `optimum-cli export openvino --model openai/whisper-base FOLDER` "
    "makes it, or take SIGHTLINE_SPEECH_ENGINE=pocketsphinx, which needs none"
)


def open_whisper(settings: Settings) -> SpeechEngine:
    """Raises ModelError: its library or its weights are missing or damaged; says what to do about it."""
    folder, name = Path(settings.speech_model), settings.speech_model or "whisper"
    encoder = folder / "openvino_encoder_model.bin"
    if not settings.speech_model or not encoder.is_file():
        raise ModelError(f"whisper: no model in {settings.speech_model!r}; {_CURE}", model=name)
    try:
        genai: Any = import_module("openvino_genai")
    except ImportError as error:
        raise ModelError("whisper: needs openvino-genai: pip install 'sightline[chat]'", model=name) from error
    device = "CPU" if settings.device in ("auto", "cpu") else settings.device.upper()
    try:
        pipeline = genai.WhisperPipeline(folder, device, word_timestamps=True)
    except Exception as error:  # OpenVINO raises RuntimeError and what is below it, by version
        raise ModelError(f"whisper: {folder} cannot be loaded: {error!s:.300}; {_CURE}", model=name) from error
    with encoder.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return WhisperEngine(pipeline, LoadedModel(name=folder.name, sha256=sha256, runtime="openvino"))


class WhisperEngine:
    """Reads a stretch of up to 30 s, what the model hears at once."""

    name = "whisper"
    longest_s = 28.0
    pause_s = 1.5

    def __init__(self, pipeline: Any, model: LoadedModel) -> None:
        self.model = model
        self._pipeline = pipeline
        known: dict[str, int] = pipeline.get_generation_config().lang_to_id
        self._languages = sorted(token.strip("<|>") for token in known)  # none where a model reads one only

    def check(self, options: TranscribeOptions) -> None:
        refuse_unknown(self.name, options, languages=self._languages, takes=("prompt", "temperature"))

    def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
        return [self._read(stretch) for stretch in stretches]

    def _read(self, stretch: Stretch) -> Heard:
        said, options = dict[str, Any](), stretch.options
        if options.language and self._languages:
            said["language"] = f"<|{options.language}|>"
        if options.prompt:
            said["initial_prompt"] = options.prompt
        if options.temperature:
            said |= {"temperature": options.temperature, "do_sample": True}
        sound = stretch.samples.astype(np.float32) / 32768
        result = self._pipeline.generate(
            sound, return_timestamps=True, word_timestamps=options.words, task="transcribe", **said
        )
        words = [
            Word(text=one.word.strip(), start_s=max(0.0, one.start_ts), end_s=max(0.0, one.start_ts, one.end_ts))
            for one in result.words or ()
            if one.word.strip()
        ]
        return Heard(with_words(_segments(result, stretch), words), result.language or options.language)


def _segments(result: Any, stretch: Stretch) -> list[Segment]:
    """Its chunks; the last of them has no end where the model did not say one."""
    segments: list[Segment] = []
    for chunk in result.chunks or ():
        start_s = min(max(0.0, chunk.start_ts), stretch.duration_s)
        end_s = stretch.duration_s if chunk.end_ts < start_s else min(chunk.end_ts, stretch.duration_s)
        if text := chunk.text.strip():
            segments.append(Segment(start_s=start_s, end_s=end_s, text=text))
    return segments
