"""Finds displays with red digits. No weights: red light on a dark ground is enough."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sightline.settings import Settings
from sightline.types import Detection
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage


def open_detector(name: str, _settings: Settings) -> LitDisplayDetector:
    return LitDisplayDetector(name)


class LitDisplayDetector:
    def __init__(self, name: str) -> None:
        self.model = LoadedModel(name=name, sha256="", runtime="opencv", labels=("display",))

    def detect(self, images: Sequence[BgrImage]) -> list[list[Detection]]:
        return [displays_in(image) for image in images]

    def warm(self) -> None:
        self.detect([np.zeros((64, 64, 3), np.uint8)])


def displays_in(image: BgrImage) -> list[Detection]:
    lit = lit_pixels(image)
    reach, margin = max(3, image.shape[0] // 8), max(3, image.shape[0] // 40)
    joined = cv2.morphologyEx(
        lit, cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8)
    )  # digits side by side are one display
    grown = cv2.dilate(joined, np.ones((margin, margin), np.uint8))
    outlines, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found: list[Detection] = []
    for left, top, width, height in map(cv2.boundingRect, outlines):
        part = image[top : top + height, left : left + width]
        ground = part[lit[top : top + height, left : left + width] == 0]
        found.append(
            Detection(
                xyxy=(float(left), float(top), float(left + width), float(top + height)),
                label="display",
                class_id=0,
                confidence=1 - float(ground.mean()) / 255,  # the darker the ground, the surer
            )
        )
    return sorted(found, key=lambda one: -one.confidence)


def lit_pixels(image: BgrImage) -> BgrImage:
    """1 where red shines, else 0."""
    blue, green, red = cv2.split(image)
    return ((red > 150) & (green < 110) & (blue < 110)).astype(np.uint8)
