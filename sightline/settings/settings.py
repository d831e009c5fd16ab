"""One typed Settings object, read once at each entry point."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from dotenv import dotenv_values
from pydantic import Field, ValidationError

from sightline.errors import SettingsError
from sightline.settings.accepted import AcceptedSettings
from sightline.settings.api import ApiSettings
from sightline.settings.cameras import CameraSettings
from sightline.settings.delivery import DeliverySettings
from sightline.settings.group import PREFIX, Group
from sightline.settings.models import ModelSettings
from sightline.settings.observed import MetricsSettings
from sightline.settings.pipelines.chat import ChatSettings
from sightline.settings.pipelines.speech import SpeechSettings
from sightline.settings.places import PlaceSettings
from sightline.settings.sinks import SinkSettings
from sightline.settings.storage import StorageSettings
from sightline.settings.workers import WorkerSettings


class Settings(
    PlaceSettings,
    DeliverySettings,
    AcceptedSettings,
    WorkerSettings,
    ModelSettings,
    ChatSettings,
    SpeechSettings,
    StorageSettings,
    SinkSettings,
    ApiSettings,
    CameraSettings,
    MetricsSettings,
):
    """All knobs. `docs/reference/settings.md` is generated from the descriptions in the groups."""

    title = "General"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Log level of every process.")


#: In the order in which they are documented.
GROUPS: Final[tuple[type[Group], ...]] = (Settings, *(base for base in Settings.__bases__ if issubclass(base, Group)))


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsError: naming the variable, its value and what is expected of it.
    """
    _refuse_unknown(os.environ)
    data_dir = Path(overrides.get("data_dir") or os.environ.get(PREFIX + "DATA_DIR") or "data")
    run_env = data_dir / "run.env"
    if _is_key_for_another(run_env, overrides):
        overrides["api_key"] = ""
    try:
        return Settings(_env_file=run_env, **overrides)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).removeprefix(PREFIX).upper()
        said = first["msg"].removeprefix("Value error, ")  # pydantic's word for a check of ours
        raise SettingsError(f"{name}: {said}{_got(name, first)}; see docs/reference/settings.md") from None


def _got(name: str, error: Any) -> str:
    """What was given, but for passwords: an address that cannot be read may have them anywhere."""
    return "" if name.endswith(("_URL", "_KEY")) else f" (got {error.get('input')!r})"


def _is_key_for_another(run_env: Path, overrides: Mapping[str, Any]) -> bool:
    """Whether the key of this machine's API would go to another one: it is in `run.env`, the address is not."""
    key, url = PREFIX + "API_KEY", PREFIX + "API_URL"
    asked = overrides.get("api_url") or os.environ.get(url)
    if not asked or overrides.get("api_key") is not None or os.environ.get(key) or not run_env.is_file():
        return False
    known = dotenv_values(run_env)
    return key in known and str(asked).rstrip("/") != str(known.get(url)).rstrip("/")


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for key in environment:
        if key.startswith(PREFIX) and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{key}: unknown setting{hint} (all are listed in docs/reference/settings.md)")
