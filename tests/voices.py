"""Sound for tests: texts spoken by flite's voices, and silence, noise and containers around them."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Samples = NDArray[np.int16]
RATE = 16_000
#: What it is spoken from; PocketSphinx reads nearly all of it.
STORY = (
    "The weather was cold.",
    "We walked along the road to the old house on the hill.",
    "My brother opened the door and looked inside.",
    "There was nobody there.",
    "On the table we found a letter and a small key.",
    "He took the key and put it in his pocket.",
    "Then we heard a noise in the garden.",
)


def say(text: str, voice: str = "rms") -> Samples:
    """Spoken once a test run and machine. Skips where flite is not installed."""
    if shutil.which("flite") is None:
        pytest.skip("needs flite: apt-get install flite")
    name = hashlib.sha256(f"{voice} {text}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"sightline-voice-{name}.wav"
    if not path.exists():
        fresh = path.with_suffix(f".{id(text)}")
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(fresh)], check=True)
        fresh.rename(path)
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def noise(seconds: float, loudness: float = 0.02) -> Samples:
    drawn = np.random.default_rng(1).normal(0, loudness * 32767, round(seconds * RATE))
    return np.clip(drawn, -32768, 32767).astype(np.int16)


def talk(sentences: int, pause_s: float = 0.8) -> Samples:
    """So many sentences of the story, over and over, with a pause after each."""
    parts = [part for n in range(sentences) for part in (say(STORY[n % len(STORY)]), silence(pause_s))]
    return np.concatenate([silence(0.3), *parts])


def as_wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(samples.tobytes())
    return file.getvalue()


#: Container and codec of what people have.
KINDS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("ipod", "aac"),
    "ogg": ("ogg", "libopus"),
    "flac": ("flac", "flac"),
    "webm": ("webm", "libopus"),
}


def as_kind(samples: Samples, kind: str, *, picture: bool = False) -> bytes:
    """As a file of one of `KINDS`; with a picture in it, an MP4."""
    container, codec = ("mp4", "aac") if picture else KINDS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        rate = 48_000 if codec == "libopus" else RATE
        track = target.add_stream(codec, rate=rate, layout="mono")
        film = target.add_stream("libx264", rate=1) if picture else None
        if film is not None:
            film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
            for _ in range(max(1, len(samples) // RATE)):
                target.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")))
            target.mux(film.encode())
        whole = av.AudioFrame.from_ndarray(samples.reshape(1, -1).copy(), format="s16", layout="mono")
        whole.sample_rate = RATE
        resampler = av.AudioResampler(track.format, "mono", rate, frame_size=track.codec_context.frame_size or None)
        for frame in [*resampler.resample(whole), *resampler.resample(None)]:
            frame.pts = None
            target.mux(track.encode(frame))
        target.mux(track.encode(None))
    return file.getvalue()
