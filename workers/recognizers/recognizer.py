"""What a recognizer is. No implementation here, so that stubs and tasks can import the contract alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage


class Recognizer(Protocol):
    """Reads the text of crops. Any thread may use it: batchers of several pipelines may share one.

    `model.calls_at_once` calls get ahead side by side; more wait for each other.
    """

    @property
    def model(self) -> LoadedModel:
        """What runs here."""
        ...

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        """One reading per crop, in the order of the crops; text "" and confidence 0.0 where nothing is read.

        What a crop reads as does not depend on the crops beside it. An empty sequence gives an empty list.
        """
        ...
