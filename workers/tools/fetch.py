"""`python -m workers.tools.fetch [NAME …]`: download weights now, so that no job waits for them or needs the network.

Without names: what the settings name. Prints a line a model: name, file and sha256. What is here is only checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from sightline.errors import SightlineError
from sightline.logs import configure_logging
from sightline.settings import Settings, load_settings
from workers.models.files import resolve
from workers.models.registry import find_model

_COLUMNS = (
    *(TextColumn("{task.description:>12}"), BarColumn(), DownloadColumn()),
    *(TransferSpeedColumn(), TimeRemainingColumn()),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.tools.fetch", description=__doc__)
    parser.add_argument("names", nargs="*", help="names of the model registry (docs/reference/models.md)")
    names = parser.parse_args(arguments).names
    try:
        settings = load_settings()
        configure_logging("ERROR")  # lines would break the bar
        for name in names or _named(settings):
            print(_fetch(name, settings))
    except SightlineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _named(settings: Settings) -> list[str]:
    """The detectors of the settings that have a file."""
    names = dict.fromkeys([settings.plates_model, settings.text_model, settings.objects_model])
    return [name for name in names if find_model(name, settings).source]


def _fetch(name: str, settings: Settings) -> str:
    console = Console(stderr=True)
    with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task(name, total=None, visible=False)
        file = resolve(
            name,
            settings,
            progress=lambda size, total: bars.update(bar, completed=size, total=total or None, visible=True),
        )
    trusted = file.spec.source.startswith("https://") and not file.spec.sha256
    return f"{name}  {file.path}  sha256 {file.sha256}{', trusted as it came: its entry has none' if trusted else ''}"


if __name__ == "__main__":
    raise SystemExit(main())
