"""Where the command line looks for a Sightline, in words, for when nothing answers there."""

from __future__ import annotations

import os

from sightline.settings import PREFIX, PlaceSettings


def say_where(settings: PlaceSettings, name: str) -> str:
    """Why nothing may answer, and what to do. `name`: the setting with the address that was asked, as `REDIS_URL`."""
    if PREFIX + name in os.environ or name in os.environ:
        return f"nothing answers where {PREFIX}{name} says: is it running there?"
    folder = settings.data_dir if settings.data_dir.is_absolute() else f"./{settings.data_dir}"
    if (settings.data_dir / "run.env").is_file():
        return f"the Sightline at {folder} is not running: start it with `sightline up --data {folder}`"
    return f"no Sightline at {folder}: start one with `sightline up`, or name its folder with --data"
