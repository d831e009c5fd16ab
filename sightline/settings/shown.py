"""What a process was told, for its log."""

from __future__ import annotations

import logging

from sightline.redaction import redact_text
from sightline.settings.group import PREFIX
from sightline.settings.settings import Settings

log = logging.getLogger(__name__)


def log_settings(settings: Settings) -> None:
    """Say what a process was told beside `run.env`, once, at its start: settings are not read again. Hides secrets."""
    run_env = settings.data_dir / "run.env"
    known = run_env.read_text("utf-8") if run_env.is_file() else ""
    names = [name for name in sorted(settings.model_fields_set) if f"{PREFIX}{name.upper()}=" not in known]
    given = {name: str(getattr(settings, name)) for name in names}
    shown = ", ".join(f"{PREFIX}{name.upper()}={redact_text(value, value)}" for name, value in given.items())
    log.info("settings, read once (restart to change them): %s; all others have their defaults", shown or "none given")
