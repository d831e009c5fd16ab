"""The sound in a file, whatever container it is in, as 16 kHz mono, block by block."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import av
import av.error
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from sightline.errors import BadSoundError
from sightline.pipelines.speech import SAMPLES_A_SECOND
from workers.speech.engine import Samples

#: What may be in a file that is taken for sound. FFmpeg would read a text file as a terminal does, or play lists of
#: other files.
_FORMATS: Final = (
    "aac,ac3,adts,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,eac3,flac,flv,gsm,loas,matroska,mov,mp3,mpeg,mpegts,nut,"
    "ogg,rm,tta,voc,w64,wav,wv"
)
#: What containers say of their length is rounded; a file that ends nearer to it than this is whole.
_TOLERANCE_S: Final = 1.0


class Sound:
    """An open recording, read once."""

    def __init__(self, data: bytes, name: str, longest_s: float) -> None:
        """`name` is what people call it. `longest_s`: a longer one is refused, by what it says of itself if it does.

        Raises BadSoundError: it cannot be opened, there is no sound in it, or it is too long.
        """
        self._name = repr(name[:80] or "sound")
        self._longest_s = longest_s
        self.ended_early: str | None = None  #: why it ends before it should, once it was read
        self.duration_s = 0.0  #: of what was read so far
        self._missing = _missing(data)
        try:
            container = av.open(
                io.BytesIO(data),
                "r",
                options={"format_whitelist": _FORMATS, "protocol_whitelist": "", "max_streams": "64"},
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise BadSoundError(f"{self._name} is no sound that can be read; {_CURE}") from error
        assert isinstance(container, InputContainer)
        self._container = container
        try:
            self._stream = _best_stream(self._container, self._name)
            self.said_s = _said_s(self._container, self._stream)
            if self.said_s is not None:
                self._check_length(self.said_s)
        except BadSoundError:
            self.close()
            raise

    def blocks(self) -> Iterator[Samples]:
        """The samples, a little at a time. What is damaged in the middle is left out; see `ended_early`.

        Raises BadSoundError: nothing in it could be decoded, or it is longer than it said.
        """
        resampler, damaged = AudioResampler("s16", "mono", SAMPLES_A_SECOND), ""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.error.FFmpegError, OSError, ValueError) as error:
                damaged = _word(error)
                break
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError) as error:
                damaged = _word(error)
                continue
            for frame in frames:
                for resampled in resampler.resample(frame):
                    yield self._counted(resampled)
        for resampled in resampler.resample(None) if self.duration_s else ():
            yield self._counted(resampled)
        if not self.duration_s:
            raise BadSoundError(f"{self._name}: nothing of its sound could be decoded; {_CURE}")
        if self.said_s is not None:
            self.said_s *= 1 + self._missing
        if self.said_s is not None and self.duration_s < self.said_s - _TOLERANCE_S:
            why = f": {damaged}" if damaged else ""
            self.ended_early = f"the file is cut off or damaged at {self.duration_s:.1f} s of {self.said_s:.1f} s{why}"

    def close(self) -> None:
        self._container.close()

    def _counted(self, frame: av.AudioFrame) -> Samples:
        samples: Samples = frame.to_ndarray().reshape(-1)  # pyright: ignore[reportAssignmentType]
        self.duration_s += len(samples) / SAMPLES_A_SECOND
        self._check_length(self.duration_s)
        return samples

    def _check_length(self, duration_s: float) -> None:
        if duration_s > self._longest_s:
            most, said_s = f"{self._longest_s / 3600:.3g}", self.said_s
            if said_s is not None and said_s > self._longest_s:
                length = f"{said_s / 3600:.1f} hours, at most {most} hours are read"
            else:
                length = f"more than {most} hours, which is the most that is read"
            raise BadSoundError(f"{self._name} has {length}; cut it, or raise SIGHTLINE_MAX_SOUND_S")


_CURE: Final = "give a whole recording, as WAV, MP3, M4A, OGG, FLAC, WebM, or a video with sound"


def _best_stream(container: InputContainer, name: str) -> AudioStream:
    """The track that players would play. Raises BadSoundError: there is none, or none that can be decoded."""
    streams = container.streams.audio
    if not streams:
        what = "are pictures in it, and no sound" if container.streams.video else "is no sound in it"
        raise BadSoundError(f"{name}: there {what}; {_CURE}")
    # PyAV has no context where FFmpeg has no decoder, against its types.
    readable = [stream for stream in streams if getattr(stream, "codec_context", None) is not None]
    if not readable:
        raise BadSoundError(f"{name}: there is no decoder here for its sound; convert it to Opus, AAC or WAV")
    return next((stream for stream in readable if stream.disposition.value & 1), readable[0])


def _said_s(container: InputContainer, stream: AudioStream) -> float | None:
    """How long it is, as it says itself."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _missing(data: bytes) -> float:
    """How much of a WAV its header promises that is not there, as a share of what is: FFmpeg believes the file."""
    promised = int.from_bytes(data[4:8], "little") + 8
    is_known = data[:4] == b"RIFF" and promised < 0xFFFF_0000  # what is written into a pipe does not know
    return max(0, promised - len(data)) / len(data) if is_known else 0.0


def _word(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:100]
