"""Checks of what the floor does not import: database and sinks, models, cameras. Each runs in a process of its own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sightline.doctor.finding import Finding, bad, guarded, unknown
from sightline.errors import SettingsError, SightlineError
from sightline.local.checkout import answer_once, run_once
from sightline.settings import PREFIX, Settings, load_settings

#: What is looked at, where, and a library that is there where this can run.
CHECKS: Final[dict[str, tuple[str, str]]] = {
    "database": ("storage.doctor", "sqlalchemy"),
    "models": ("workers.tools.doctor", "numpy"),
    "cameras": ("producers.camera.doctor", "cv2"),
}


def ask(what: str, settings: Settings) -> Iterator[Finding]:
    """What the check of that name finds."""
    module, library = CHECKS[what]
    if any(importlib.util.find_spec(name) is None for name in (module.partition(".")[0], library)):
        yield unknown(what, "not to be looked at from here", f"run sightline doctor where {module} is installed")
        return
    try:
        said = run_once(module, environment=dict(os.environ) | {f"{PREFIX}DATA_DIR": str(settings.data_dir)})
    except SettingsError as error:
        yield bad(what, str(error).strip().splitlines()[-1])
        return
    for line in filter(None, said.splitlines()):
        yield Finding.model_validate_json(line)


def answer(*checks: tuple[str, Callable[[Settings], Iterable[Finding]]]) -> int:
    """Be one of `CHECKS`: print what is found, one a line. Returns the exit status."""

    def look() -> str:
        settings = load_settings()
        found = (finding for what, check in checks for finding in guarded(what, lambda check=check: check(settings)))
        return "\n".join(finding.model_dump_json() for finding in found)

    return answer_once(look)


def settings_finding(error: SightlineError) -> Finding:
    return bad("settings", str(error), "docs/reference/settings.md has all of them")
