"""What a detector is. No implementation here, so that stubs and tasks can import the contract alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sightline.types import Detection
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage


class Detector(Protocol):
    """Finds objects in images. Used by `model.calls_at_once` threads at a time, at most."""

    @property
    def model(self) -> LoadedModel:
        """What runs here."""
        ...

    def detect(self, images: Sequence[BgrImage]) -> list[list[Detection]]:
        """The detections of each image, in the order of the images, in pixels of that image.

        Images may differ in size. An empty sequence gives an empty list.
        """
        ...

    def warm(self) -> None:
        """Run once on a blank image, so that the first real one is not slow."""
        ...
