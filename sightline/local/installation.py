"""Which installation a command belongs to, so that its jobs end in the database of that one and no other."""

from __future__ import annotations

import importlib.util
import os

from sightline.errors import SettingsError
from sightline.local.checkout import run_once
from sightline.settings import PREFIX, Settings


def with_installation(settings: Settings) -> Settings:
    """The settings with the id of the installation whose database they name, where that can be asked from here."""
    can_ask = all(importlib.util.find_spec(name) for name in ("storage", "sqlalchemy"))
    if settings.installation_id or not settings.database_url or not can_ask:
        return settings
    environment = dict(os.environ) | {PREFIX + "DATA_DIR": str(settings.data_dir)}
    try:
        installation_id = run_once("storage", "installation", environment=environment).strip()
    except SettingsError:  # the database is not there or does not answer: what is taken meanwhile waits for it
        return settings
    return settings.model_copy(update={"installation_id": installation_id})
