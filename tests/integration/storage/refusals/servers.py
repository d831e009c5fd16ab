"""PostgreSQL servers that fail over and say no, and PgBouncer in front of one. Each in a folder of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.chaos.machine.postgres import prepare_postgres
from storage.database.revision import upgrade
from tests.conftest import free_port


@dataclass
class Server:
    """A PostgreSQL that listens on a port of its own. `sql` is said by its superuser."""

    binaries: Path
    folder: Path
    user: dict[str, Any]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[Any] | None = None

    def start(self) -> None:
        options = ["-F", "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder), "-c", "max_connections=40"]
        command = [self.binaries / "postgres", "-D", self.folder / "data", *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self.user)
        deadline = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def url(self, name: str = "sightline", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def sql(self, *statements: str, name: str = "sightline") -> list[Any]:
        found: list[Any] = []
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                found = cursor.fetchall() if cursor.description else []
        return found

    def end_sessions(self) -> None:
        """As an administrator does after a change of settings: who is connected has to come again."""
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        self.sql(f"SELECT pg_terminate_backend(pid) {others}")

    def promote(self) -> None:
        self.sql("SELECT pg_promote()", name="postgres")


@contextmanager
def primary(binaries: Path) -> Iterator[Server]:
    """A server with a database `sightline` that has all tables."""
    with _folder() as folder:
        prepared = prepare_postgres(binaries, folder)
        server = Server(binaries, folder, prepared.user)
        server.start()
        try:
            server.sql("CREATE DATABASE sightline", name="postgres")
            upgrade(server.url())
            yield server
        finally:
            server.stop()


@contextmanager
def standby_of(server: Server) -> Iterator[Server]:
    """A hot standby that follows it."""
    with _folder() as folder:
        if server.user:
            shutil.chown(folder, server.user["user"])
        standby = Server(server.binaries, folder, server.user)
        command = [server.binaries / "pg_basebackup", "-D", folder / "data", "-R", "-X", "stream", "-c", "fast"]
        command += ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "--no-sync"]
        subprocess.run(command, check=True, cwd=folder, **server.user)
        standby.start()
        try:
            yield standby
        finally:
            standby.stop(signal.SIGQUIT)


@contextmanager
def pgbouncer(server: Server, *settings: str) -> Iterator[str]:
    """Debian's PgBouncer in transaction mode. Gives the URL through it."""
    with _folder() as folder:
        port = free_port()
        (folder / "users").write_text('"postgres" ""\n')
        lines = [
            "[databases]",
            f"sightline = host=127.0.0.1 port={server.port} dbname=sightline user=postgres",
            "[pgbouncer]",
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =",
            f"auth_type = any\nauth_file = {folder / 'users'}\npool_mode = transaction",
            "default_pool_size = 2\nmin_pool_size = 2",  # fewer than clients: their transactions change places
            *settings,
        ]
        (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        for path in (folder, *folder.iterdir()):
            if server.user:
                shutil.chown(path, server.user["user"])
        with (folder / "log").open("wb") as log:
            command = [_pgbouncer(), folder / "pgbouncer.ini"]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **server.user)
        try:
            _wait_for(port, process, folder / "log")
            yield f"postgresql://postgres@127.0.0.1:{port}/sightline"
        finally:
            process.terminate()
            process.wait(10)


def has_pgbouncer() -> bool:
    return Path(_pgbouncer()).exists()


def _pgbouncer() -> str:
    return shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


def _wait_for(port: int, process: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sightline-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
