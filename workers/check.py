"""`python -m workers.check`: are the models and countries that the settings name known? Nothing is loaded or fetched.

Exit status: 0 all are, 2 one is not.
"""

from __future__ import annotations

import sys

from sightline.errors import SightlineError
from sightline.settings import PREFIX, load_settings
from workers.models import find_model
from workers.recognizers.formats import open_formats


def main() -> int:
    setting = ""
    try:
        settings = load_settings()
        for setting in ("plates_model", "objects_model", "text_model"):
            find_model(getattr(settings, setting), settings)
        setting = ""
        open_formats(settings)
    except SightlineError as error:
        name = f"{PREFIX}{setting.upper()}: " if setting else ""
        print(f"{name}{error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
