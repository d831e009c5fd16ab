"""Jobs of text, sound and pictures beside the frames: questions, recordings, and questions about both.

What answers is a server of OpenAI's language that says back what it is told; what reads speech says how long it is. So
each answer can be traced to its question, and each transcript to its recording.
"""

from __future__ import annotations

from typing import Final

from sightline.types import Pipeline

#: A question to a model, a recording to be read, and a question about a picture and a recording.
QUESTIONS: Final = (Pipeline.CHAT, Pipeline.TRANSCRIBE, Pipeline.ASK)
