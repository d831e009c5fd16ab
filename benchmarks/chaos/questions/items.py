"""What is asked: by the number of an item and the text that its picture would show, and nothing else."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from datetime import datetime

from sightline.testing import make_picture
from sightline.types import Item, Part, Pipeline

_SAMPLES_A_SECOND = 16_000
_WORDS = "is what the sign beside the road says, and I would like to hear it from you again, word by word."


def make_item(pipeline: Pipeline, frame_id: str, number: int, text: str, captured_at: datetime) -> Item:
    picture = Part(medium="image", key=f"{frame_id}.p1")
    sound = Part(medium="audio", key=f"{frame_id}.p2")
    asked = Part(medium="text", text=question_of(text))
    parts = {Pipeline.CHAT: (asked,), Pipeline.TRANSCRIBE: (sound,), Pipeline.ASK: (asked, picture, sound)}
    return Item(frame_id=frame_id, source_id=str(pipeline), captured_at=captured_at, seq=number, parts=parts[pipeline])


def blobs_of(item: Item, text: str) -> Mapping[str, bytes]:
    """What lies in the frame store, by key."""
    made = {"image": lambda: make_picture(text, width=120, height=96), "audio": lambda: _silence(seconds_of(item.seq))}
    return {part.key: made[part.medium]() for part in item.parts if part.key}


def question_of(text: str) -> str:
    return f"{text} {_WORDS}"


def seconds_of(number: int) -> float:
    """How long the recording of an item is. The longer ones are cut into pieces."""
    return 0.5 + number % 40 / 10


def _silence(seconds: float) -> bytes:
    """Whoever looks for speech is replaced, so there need be none."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(1)
        target.setframerate(_SAMPLES_A_SECOND)
        target.writeframes(b"\x80" * round(seconds * _SAMPLES_A_SECOND))
    return file.getvalue()
