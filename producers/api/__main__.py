"""`python -m producers.api`: serves the API and the page."""

from __future__ import annotations

import logging

import uvicorn

from producers.api.app import create_app
from producers.api.auth import is_loopback
from sightline.logs import configure_logging
from sightline.settings import load_settings

log = logging.getLogger(__name__)


def main() -> None:
    settings = load_settings()
    configure_logging(settings.log_level)
    if not is_loopback(settings.api_host):
        log.warning("listening on %s: everything but /healthz and /readyz needs a key", settings.api_host)
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
        proxy_headers=False,  # the peer's address decides who may look without a key
    )


if __name__ == "__main__":
    main()
