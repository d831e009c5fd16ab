"""Crops: what detect leaves for ocr. Only their names; cutting and reading them is the stages' own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sightline.pipelines.ask import AskResult, to_be_read
from sightline.pipelines.spec import PayloadSpec
from sightline.types import FrameResult, ItemResult


def crop_key(frame_id: str, detection_index: int) -> str:
    """Where the crop of a frame's detection lies in the frame store."""
    return f"{frame_id}.c{detection_index}"


def crop_keys(result: ItemResult) -> list[str]:
    """The keys of the crops of a frame's detections, or of all that can be read on the pictures of a question."""
    if isinstance(result, AskResult):
        return [key for _, picture in to_be_read(result) for key in crop_keys(picture)]
    found = result.detections if isinstance(result, FrameResult) else ()
    return [crop_key(result.frame.frame_id, index) for index in range(len(found))]


def _all_keys(results: Sequence[ItemResult]) -> list[str]:
    return [key for result in results for key in crop_keys(result)]


CROPS: Final = PayloadSpec("crops", _all_keys)
