"""`sightline backup` and `sightline restore`: rows and kept pictures, in a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from sightline.cli.output import JsonFlag, err, out, print_json
from sightline.cli.queries import Data, settings_for
from sightline.errors import BrokerUnavailableError, SettingsError
from sightline.local.checkout import require_checkout, run_once
from sightline.redis.connection import broker_errors, connect
from sightline.settings import PREFIX, Settings, load_settings

Folder = Annotated[Path, typer.Argument(help="Where the backup is.")]
#: What a ledger leaves as soon as it is used.
_SIGNS_OF_LIFE = ("sightline:generation", "sightline:counts", "sightline:jobs")


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the backup.")],
    pictures: Annotated[bool, typer.Option(help="With the kept pictures.")] = True,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Copy the database and the kept pictures into a folder, while everything runs.

    What is in flight is in Redis and not in the backup. With PostgreSQL its pg_dump is needed here.
    """
    about = _ask(settings_for(data), "make", str(folder.resolve()), *([] if pictures else ["--no-pictures"]))
    if as_json:
        print_json(about)
        return
    out.print(f"{folder}: {about['database']} as of {about['began_at'][:19]}, {about['pictures']} pictures")


def restore(
    folder: Folder,
    as_json: JsonFlag = False,
    data: Annotated[Path | None, typer.Option(help="Data folder to restore into; a new one is made.")] = None,
) -> None:
    """Fill a new database and the picture store with a backup. Nothing may run meanwhile.

    Redis must be empty: it knows what was stored since the backup, and would call it done. Exit code 1 if pictures
    of the backup are not in its folder any more, or are damaged; all else is restored then.
    """
    settings = load_settings() if data is None else load_settings(data_dir=data)
    if data is None or (data / "run.env").is_file():  # a new folder gets a new Redis of its own
        _require_empty(settings)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = _ask(settings, "restore", str(folder.resolve()))
    missing, damaged = about["pictures_missing"], about["pictures_damaged"]
    if as_json:
        print_json(about)
    else:
        out.print(f"restored: {about['database']} as of {about['began_at'][:19]}, {about['pictures']} pictures")
        if missing:
            err.print(f"pictures that were in the backup and are not in {folder / 'pictures'} any more: {missing}")
        if damaged:
            some = ", ".join(damaged[:5]) + (", …" if len(damaged) > 5 else "")
            err.print(
                f"pictures that are not as they were in the backup, restored as they are: {len(damaged)} ({some})"
            )
        out.print("next: python -m storage upgrade, then start the roles")
    if missing or damaged:
        raise typer.Exit(1)


def _require_empty(settings: Settings) -> None:
    try:
        with connect(settings.redis_url) as redis, broker_errors():
            signs = redis.exists(*_SIGNS_OF_LIFE)
    except BrokerUnavailableError as error:
        err.print(f"Redis could not be looked at, empty it before the roles start: {error}")
        return
    if signs:
        raise SettingsError(
            "SIGHTLINE_REDIS_URL: this Redis has worked with another database: stop all roles and empty it (redis-cli "
            "FLUSHDB as admin), or what was stored since the backup counts as done and is not stored again"
        )


def _ask(settings: Settings, *arguments: str) -> dict[str, Any]:
    require_checkout("storage", "sqlalchemy")
    environment = dict(os.environ) | {PREFIX + "DATA_DIR": str(settings.data_dir)}
    return json.loads(run_once("storage.backup", *arguments, environment=environment))
