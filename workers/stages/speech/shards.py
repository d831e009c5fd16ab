"""A piece of a recording on its way to who reads it: a line of JSON that says what it is, then FLAC."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Final

import av
import numpy as np

from sightline.errors import BadMessageError
from sightline.pipelines.speech import SAMPLES_A_SECOND, Missing
from sightline.types import FrameError
from workers.speech.engine import Samples

_SILENCE: Final = np.zeros(0, np.int16)


@dataclass(frozen=True)
class Shard:
    """`sound` is empty where there is nothing to read: `error` says why, or `missing` what the file does not have."""

    item: int  #: the number of its item in the job
    start_s: float = 0.0  #: within the recording
    sound: Samples = field(default_factory=lambda: _SILENCE)
    missing: Missing | None = None
    error: FrameError | None = None

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.sound) / SAMPLES_A_SECOND

    def pack(self) -> bytes:
        head = {
            "item": self.item,
            "start_s": self.start_s,
            "missing": self.missing and self.missing.model_dump(),
            "error": self.error and self.error.model_dump(),
        }
        return json.dumps(head).encode() + b"\n" + (_encode(self.sound) if len(self.sound) else b"")

    @classmethod
    def unpack(cls, data: bytes) -> Shard:
        """Raises BadMessageError: another version wrote it."""
        line, _, sound = data.partition(b"\n")
        try:
            head = json.loads(line)
            return cls(
                head["item"],
                head["start_s"],
                _decode(sound) if sound else _SILENCE,
                head["missing"] and Missing.model_validate(head["missing"]),
                head["error"] and FrameError.model_validate(head["error"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            said = f"shard: {line[:40]!r} is none of this version: {error!s:.200}"
            raise BadMessageError(said, field="shard") from error


_LAYOUT: Final = "mono"


def _encode(sound: Samples) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLES_A_SECOND, layout=_LAYOUT)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout=_LAYOUT)
        frame.sample_rate = SAMPLES_A_SECOND
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _decode(data: bytes) -> Samples:
    with av.open(io.BytesIO(data), "r", format="flac") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.int16, copy=False)
