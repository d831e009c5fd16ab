"""Sound out of whatever container; what is none is refused in a sentence."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from sightline.errors import BadSoundError
from sightline.testing import make_picture
from tests.videos import make_video
from tests.voices import KINDS, RATE, Samples, as_kind, as_wav, noise
from workers.speech.decoding import Sound

LONG_S = 3600.0


def tone(seconds: float = 2.0) -> Samples:
    return (8000 * np.sin(np.arange(round(seconds * RATE)) * 2 * np.pi * 440 / RATE)).astype(np.int16)


def read(data: bytes, longest_s: float = LONG_S) -> tuple[Samples, Sound]:
    sound = Sound(data, "call.wav", longest_s)
    try:
        return np.concatenate(list(sound.blocks())), sound
    finally:
        sound.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_gives_the_same_sound(kind: str) -> None:
    samples, sound = read(as_kind(tone(), kind))
    assert samples.dtype == np.int16
    assert abs(len(samples) / RATE - 2.0) < 0.15  # what codecs put around it
    assert sound.ended_early is None
    middle = samples[RATE // 2 : RATE].astype(float)
    frequency = np.argmax(np.abs(np.fft.rfft(middle))) * RATE / len(middle)
    assert abs(frequency - 440) < 4


def test_of_a_video_its_sound_is_read() -> None:
    samples, _ = read(as_kind(tone(), "", picture=True))
    assert abs(len(samples) / RATE - 2.0) < 0.15


def test_stereo_at_another_rate_becomes_one_channel_of_16_khz() -> None:
    file = io.BytesIO()
    both = np.repeat((8000 * np.sin(np.arange(2 * 44_100) / 20)).astype(np.int16), 2).reshape(1, -1)
    with av.open(file, "w", format="wav") as container:
        track = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate = 44_100
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    samples, _ = read(file.getvalue())
    assert samples.ndim == 1
    assert abs(len(samples) - 2 * RATE) < 50


def test_what_is_no_sound_is_refused_with_a_cure(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", frames=10).read_bytes()
    told = {
        "text": (b"Dear Sir,\nthis is a letter.\n" * 100, "is no sound that can be read; give a whole recording"),
        "list": (b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n", "is no sound that can be read"),
        "empty": (b"", "is no sound that can be read"),
        "picture": (make_picture("AB123"), "is no sound that can be read"),
        "film": (film, "there are pictures in it, and no sound"),
        "header alone": (as_wav(tone())[:44], "nothing of its sound could be decoded"),
        "beginning of an m4a": (as_kind(tone(), "m4a")[:600], "is no sound that can be read"),
    }
    for what, (data, text) in told.items():
        with pytest.raises(BadSoundError) as refused:
            read(data)
        assert text in str(refused.value), what
        assert "'call.wav'" in str(refused.value)


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes_and_says_so() -> None:
    for data in (as_wav(tone(4)), as_kind(tone(4), "flac")):
        samples, sound = read(data[: len(data) // 2])
        assert 0.5 < len(samples) / RATE < 3.5
        assert sound.ended_early is not None
        assert "the file is cut off or damaged at" in sound.ended_early


def test_damage_in_the_middle_costs_what_is_damaged() -> None:
    data = bytearray(as_kind(noise(4, 0.1), "mp3"))
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    samples, _ = read(bytes(data))
    assert 3.0 < len(samples) / RATE < 4.2


def test_a_recording_that_is_too_long_is_refused_by_what_it_says_of_itself() -> None:
    with pytest.raises(BadSoundError, match=r"'call.wav' has 10.0 hours, at most 4 hours are read; cut it, or raise"):
        Sound(_long_flac(), "call.wav", 4 * 3600)
    with pytest.raises(BadSoundError, match="at most"):
        read(as_wav(tone(6)), longest_s=5.0)


def _long_flac() -> bytes:
    """A FLAC whose header says that it is ten hours long."""
    data = bytearray(as_kind(tone(1), "flac"))
    assert data[:4] == b"fLaC"
    samples = 10 * 3600 * RATE
    # STREAMINFO: 36 bits of the number of samples end 16 bytes before its end, before the MD5.
    at = 8 + 13
    data[at] = data[at] & 0xF0 | samples >> 32
    data[at + 1 : at + 5] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(data)


def test_one_that_does_not_say_how_long_it_is_is_refused_while_it_is_read() -> None:
    data = as_kind(tone(8), "mp3")
    raw = Sound(data, "call.mp3", 1000.0)
    raw.said_s = None
    raw._longest_s = 3.6  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(BadSoundError, match=r"has more than 0\.001 hours, which is the most that is read"):
        list(raw.blocks())
    assert raw.duration_s < 3.8
