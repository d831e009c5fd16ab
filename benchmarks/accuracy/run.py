"""Photos through the stages, one configuration after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmarks.accuracy.judge import Judged, judge
from benchmarks.accuracy.truth import Photo
from sightline.settings import Settings, load_settings
from workers.tools.local import LocalSystem


class Config(NamedTuple):
    """Settings that make a configuration, and what it is."""

    about: str
    given: dict[str, Any]

    def settings(self) -> Settings:
        """The settings of this process with those of this configuration.

        Raises:
            SettingsError: there is no such setting or value.
        """
        return load_settings(**self.given)


CONFIGS = {
    "ppocr": Config(
        "PP-OCR on the whole image: text detection and recognition",
        {"plates_model": "ppocr-text", "plates_recognizer": ""},
    ),
    "plates+ppocr": Config(
        "our detector, PP-OCR on its boxes", {"plates_model": "plates-detector", "plates_recognizer": ""}
    ),
    "plates": Config(
        "our detector and our recognizer", {"plates_model": "plates-detector", "plates_recognizer": "plates"}
    ),
    "plates+voted": Config(
        "our detector, our recognizer and PP-OCR where it is in doubt",
        {"plates_model": "plates-detector", "plates_recognizer": "voted"},
    ),
}


def read_all(photos: Sequence[Photo], config: Config, advance: Callable[[], None]) -> list[Judged]:
    """Judge every photo; each is a source of its own, so that no two share a passage.

    Raises:
        BadImageError: a photo cannot be read; names it.
        ModelError, SettingsError: the configuration is not to be had on this machine.
    """
    judged: list[Judged] = []
    with LocalSystem(config.settings()) as system:
        for photo in photos:
            source_id = f"{photo.country}-{photo.row}"
            judged.append(judge(photo, system.explain_photo(photo.path.read_bytes(), str(photo.path), source_id)))
            advance()
    return judged
