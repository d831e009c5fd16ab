"""`python -m producers.api`: serves the API and the page.

Exit status: 0 stopped as asked, 1 the port is taken, 2 bad settings.
"""

from __future__ import annotations

import logging
import sys

import uvicorn

from producers.api.access.origin import is_loopback
from producers.api.app import create_app
from producers.api.middleware.protocol import ImpatientProtocol
from producers.api.services import ApiServices, open_services
from sightline.errors import SettingsError, StoreUnavailableError
from sightline.logs import configure_logging
from sightline.metrics.server import serve_metrics
from sightline.settings import load_settings, log_settings
from storage.access.keys import list_keys

log = logging.getLogger(__name__)


def main() -> int:
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        log_settings(settings)
        services = open_services(settings)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if not is_loopback(settings.api_host):
        _warn_of_exposure(services)
    app = create_app(settings, services)
    serve_metrics(settings, "api", app.state.metrics)
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=ImpatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
        proxy_headers=False,  # the peer's address decides who may look without a key
    )
    return 0


def _warn_of_exposure(services: ApiServices) -> None:
    host = services.settings.api_host
    log.warning("listening on %s: everything but /healthz and /readyz needs a key", host)
    try:
        if not any(key.revoked_at is None for key in list_keys(services.database)):
            log.warning("there is no key yet, so nobody gets in: run `python -m storage create-key NAME operator`")
    except StoreUnavailableError as error:
        log.warning("keys cannot be checked now: %s", error)


if __name__ == "__main__":
    raise SystemExit(main())
