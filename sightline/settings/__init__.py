"""Settings: one typed object, read once at each entry point, in groups that are handed down.

Every field is an environment variable with the prefix `SIGHTLINE_` (`SIGHTLINE_REDIS_URL`, ...). `REDIS_URL` and
`DATABASE_URL` are honored too. Order: arguments, environment, `<data_dir>/run.env` (written by `sightline up`, so
that the CLI and Python clients on the same machine find it), defaults. Unknown names are refused.
"""

from __future__ import annotations

from sightline.settings.accepted import AcceptedSettings
from sightline.settings.api import ApiSettings, Network
from sightline.settings.cameras import CameraSettings
from sightline.settings.delivery import DeliverySettings
from sightline.settings.group import PREFIX
from sightline.settings.models import ModelSettings
from sightline.settings.observed import MetricsSettings
from sightline.settings.pipelines.chat import ChatSettings
from sightline.settings.pipelines.speech import SpeechSettings
from sightline.settings.places import PlaceSettings
from sightline.settings.settings import GROUPS, Settings, load_settings
from sightline.settings.shown import log_settings
from sightline.settings.sinks import SinkSettings
from sightline.settings.storage import StorageSettings
from sightline.settings.workers import WorkerSettings

__all__ = [
    "GROUPS",
    "PREFIX",
    "AcceptedSettings",
    "ApiSettings",
    "CameraSettings",
    "ChatSettings",
    "DeliverySettings",
    "MetricsSettings",
    "ModelSettings",
    "Network",
    "PlaceSettings",
    "Settings",
    "SinkSettings",
    "SpeechSettings",
    "StorageSettings",
    "WorkerSettings",
    "load_settings",
    "log_settings",
]
