"""A job between two stages: it stays in the process where the next stage is there too, and else goes over its queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sightline.frames import crops_name
from sightline.messages import Message
from workers.images import BgrImage, encode_jpeg
from workers.services import Services

_CROP_JPEG_QUALITY: Final = 95  # text is read from these pixels


@dataclass(frozen=True)
class Step:
    """What a stage is given, and what it leaves."""

    task: str  #: of the stage that is to work on it
    message: Message
    crops: Mapping[str, BgrImage] = field(default_factory=dict)  #: by crop key; empty: they lie in the frame store


def hand_over(services: Services, step: Step) -> None:
    """Send a step to whoever consumes its queue. Returns when the crops are stored and the broker has the message."""
    job = step.message.job
    crops = {key: encode_jpeg(image, quality=_CROP_JPEG_QUALITY) for key, image in step.crops.items()}
    name = crops_name(job.job_id)
    delivery = services.delivery
    # While it waits the job asks for more time. If it was finished elsewhere it is sent all the same: who takes it
    # frees its pixels.
    delivery.patience.insist(
        lambda: services.frames.put_bundle(name, crops), f"store {name}", between=lambda: delivery.begin(job) > 0
    )
    delivery.hand_over(step.task, job, step.message.results)
