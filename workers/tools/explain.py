"""`python -m workers.tools.explain PHOTO`: the stages on one photo, and as JSON what became of every box.

The limits for boxes and readings are lowered for once, so that what they leave out can be seen, and named.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sightline.errors import BadImageError
from sightline.local.checkout import answer_once
from sightline.settings import Settings, load_settings
from storage.results.explanations import Explanation
from workers.tools.local import LocalSystem


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
    with LocalSystem(settings, show_all=True) as system:
        return system.explain_photo(data, str(photo), "explain")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.tools.explain", description=__doc__)
    parser.add_argument("photo", type=Path)
    photo: Path = parser.parse_args().photo
    return answer_once(lambda: explain_photo(photo, load_settings()).model_dump_json())


if __name__ == "__main__":
    raise SystemExit(main())
