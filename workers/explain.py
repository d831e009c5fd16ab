"""`python -m workers.explain PHOTO`: the stages on one photo, and as JSON what became of every box.

The limits for boxes and readings are lowered for once, so that what they leave out can be seen, and named.
"""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import timedelta
from pathlib import Path

from sightline.errors import BadImageError, SightlineError
from sightline.settings import Settings, load_settings
from storage.explanations import Explanation, explain_alone
from workers.local import LocalStages

#: Below this a detector is guessing.
_LEAST_CONFIDENCE = 0.05


def explain_photo(photo: Path, settings: Settings) -> Explanation:
    """Explain a photo as the only one of its source, with the models and limits of the settings.

    Raises:
        BadImageError: it cannot be read.
        ModelError: a model cannot be had; says what to do.
    """
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise BadImageError(f"{photo}: {error.strerror}") from error
    least = min(_LEAST_CONFIDENCE, settings.min_confidence)
    stages = LocalStages(settings.model_copy(update={"min_confidence": least, "min_reading_confidence": 0.0}))
    try:
        job, result = stages.read_photo(data, str(photo), "explain")
    finally:
        stages.close()
    return explain_alone(
        job,
        result,
        gap=timedelta(seconds=settings.passage_gap_s),
        min_confidence=settings.min_confidence,
        min_reading_confidence=settings.min_reading_confidence,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.explain", description=__doc__)
    parser.add_argument("photo", type=Path)
    photo: Path = parser.parse_args().photo
    logging.disable(logging.WARNING)  # what is wrong is said once, by the error
    try:
        print(explain_photo(photo, load_settings()).model_dump_json())
    except SightlineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
