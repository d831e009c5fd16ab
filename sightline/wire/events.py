"""What may leave the system: the events, and the kinds of sinks they go to."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Event(StrEnum):
    PASSAGE_NEW = "passage.new"  #: a vehicle was read for the first time
    PASSAGE_UPDATE = "passage.update"  #: its voted plate changed, or two passages turned out to be one
    PASSAGE_FINAL = "passage.final"  #: no reading came for `passage_gap_s`
    FRAME_STORED = "frame.stored"
    FRAME_DEAD = "frame.dead"
    CAMERA_HEALTH = "camera.health"  #: a camera went offline or sees nothing good any more, or does again


#: What a sink gets unless it asks for something else.
PASSAGE_EVENTS: Final = (Event.PASSAGE_NEW, Event.PASSAGE_UPDATE, Event.PASSAGE_FINAL)
#: The source of pictures with which an installation tries itself. Sinks hear of it only where they ask for it.
DOCTOR_SOURCE: Final = "doctor"
#: Type of the event that `sightline sinks test` sends. No sink has to ask for it.
TEST_EVENT: Final = "sink.test"
#: Type of what tells MQTT sinks to clear what is retained of a source. It is no event, and nobody is sent it.
SOURCE_ENDED: Final = "source.ended"


class SinkKind(StrEnum):
    WEBHOOK = "webhook"
    MQTT = "mqtt"
    JSONL = "jsonl"
    KAFKA = "kafka"
