"""Photos through the stages, one configuration after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from benchmarks.accuracy.judge import Judged, judge
from benchmarks.accuracy.truth import Photo
from sightline.settings import Settings, load_settings
from storage.explanations import explain_alone
from workers.local import LocalStages


class Config(NamedTuple):
    """What `SIGHTLINE_PLATES_MODEL` and `SIGHTLINE_RECOGNIZER` say."""

    plates_model: str
    recognizer: str
    about: str

    def settings(self) -> Settings:
        """The settings of this process with the two names of this configuration.

        Raises:
            SettingsError: there is no such recognizer.
        """
        return load_settings(plates_model=self.plates_model, recognizer=self.recognizer)


CONFIGS = {
    "ppocr": Config("ppocr-text", "rapidocr", "PP-OCR on the whole image: text detection and recognition"),
    "plates+ppocr": Config("plates", "rapidocr", "our detector, PP-OCR on its boxes"),
    "plates": Config("plates", "plates", "our detector and our recognizer"),
}


@contextmanager
def opened(config: Config) -> Iterator[LocalStages]:
    """The stages of a configuration, warm."""
    stages = LocalStages(config.settings())
    try:
        yield stages
    finally:
        stages.close()


def read_all(photos: Sequence[Photo], config: Config, advance: Callable[[], None]) -> list[Judged]:
    """Judge every photo; each is a source of its own, so that no two share a passage.

    Raises:
        BadImageError: a photo cannot be read; names it.
        ModelError, SettingsError: the configuration is not to be had on this machine.
    """
    settings, judged = config.settings(), list[Judged]()
    with opened(config) as stages:
        for photo in photos:
            job, result = stages.read_photo(photo.path.read_bytes(), str(photo.path), f"{photo.country}-{photo.row}")
            explanation = explain_alone(
                job,
                result,
                gap=timedelta(seconds=settings.passage_gap_s),
                min_confidence=settings.min_confidence,
                min_reading_confidence=settings.min_reading_confidence,
            )
            judged.append(judge(photo, explanation))
            advance()
    return judged
