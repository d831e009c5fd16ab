"""`python -m storage`: create or update the tables, show their revision, make and revoke API keys, delete old rows,
accept that rows are missing."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Event
from typing import Any, Final

from sightline.blobs.opening import open_frame_store
from sightline.errors import BadMessageError, SightlineError
from sightline.settings import Settings, load_settings
from sightline.terminal import printable
from storage.access.audit_log import record
from storage.access.keys import Role, create_key, limit_key, list_keys, revoke_key
from storage.accounting.agreement import accept_missing, read_side
from storage.accounting.ledger_snapshots import missing_rows
from storage.database.acting import DONE, FAILED, Act, act_of_this_user, acting
from storage.database.engine import Database
from storage.database.opening import open_database, require_existing
from storage.database.revision import check_revision, current_revision, downgrade, expected_revision, upgrade
from storage.retention.retention import Horizons, count_old, remove_old

_HAS_A_LOG: Final = "0004"


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 the database does not answer, is not up to date or has no such key, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        url = settings.sqlalchemy_url
        if options.action in ("upgrade", "downgrade"):
            return _migrate(options, url)
        require_existing(url)
        database = open_database(url)
        try:
            if options.action != "current":
                check_revision(database)
            return _run(options, database, settings)
        finally:
            database.close()
    except SightlineError as error:
        print(error, file=sys.stderr)
        return 1


def _migrate(options: argparse.Namespace, url: str) -> int:
    """It is noted afterwards: the log is one of the tables."""
    if options.action == "upgrade":
        act = act_of_this_user("upgrade")
        revision = upgrade(url)
    else:
        act = act_of_this_user("downgrade", options.revision)
        require_existing(url)
        revision = downgrade(url, options.revision)
    database = open_database(url)
    try:
        if revision >= _HAS_A_LOG:
            record(database, act, DONE)
    finally:
        database.close()
    print(revision)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m storage", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("upgrade", help="create the tables or bring them up to date")
    down = actions.add_parser("downgrade", help="back to the tables of an older version, without what came since")
    down.add_argument("revision", help="as `current` of that version says it needs, such as 0016")
    actions.add_parser("current", help="show the revision of the tables")
    actions.add_parser("installation", help="show the id of the installation, for SIGHTLINE_INSTALLATION_ID")
    create = actions.add_parser("create-key", help="make an API key; it is shown this once")
    create.add_argument("name", help="who uses it")
    create.add_argument("role", choices=[role.value for role in Role])
    create.add_argument(
        "--tokens-per-minute",
        type=int,
        metavar="N",
        help="of chat, in questions and answers; 0: any number; else SIGHTLINE_CHAT_TOKENS_PER_MINUTE",
    )
    limit = actions.add_parser("limit-key", help="give a key another limit of tokens a minute")
    limit.add_argument("key_id")
    limit.add_argument("tokens_per_minute", help="0: any number; default: SIGHTLINE_CHAT_TOKENS_PER_MINUTE")
    actions.add_parser("list-keys", help="show the keys that exist, without their secrets")
    revoke = actions.add_parser("revoke-key", help="make a key worthless")
    revoke.add_argument("key_id")
    actions.add_parser("accept-missing", help="rows that a restored database does not have may stay missing")
    retention = actions.add_parser("retention", help="delete what is older than the settings say, now")
    retention.add_argument("--days", type=_days, help="results and pictures older than this, whatever the settings say")
    retention.add_argument("--dry-run", action="store_true", help="delete nothing, count what would go")
    retention.add_argument("--json", action="store_true", help="what goes is said as it goes, one object a line")
    return parser


def _days(text: str) -> float:
    days = float(text)
    if not 0 < days <= 36_500:
        raise ValueError
    return days


def _run(options: argparse.Namespace, database: Database, settings: Settings) -> int:
    if options.action == "create-key":
        limit: int | None = options.tokens_per_minute
        said = {} if limit is None else {"tokens_per_minute": limit}
        with acting(act_of_this_user("create-key", options.name, role=options.role, **said)):
            print(create_key(database, options.name, options.role, tokens_per_minute=limit))
    elif options.action == "limit-key":
        limit = _limit(options.tokens_per_minute)
        act = act_of_this_user("limit-key", options.key_id, tokens_per_minute=limit)
        with acting(act):
            changed = limit_key(database, options.key_id, limit)
        return 0 if changed else _no_such_key(database, act, options.key_id)
    elif options.action == "list-keys":
        record(database, act_of_this_user("list-keys"), DONE)
        for key in list_keys(database):
            state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "valid"
            limit = key.tokens_per_minute
            limited = "" if limit is None else f"  {limit or 'any number of'} tokens a minute"
            print(f"{key.key_id}  {key.role.value:<8}  {state}  {printable(key.name)}{limited}")
    elif options.action == "revoke-key":
        act = act_of_this_user("revoke-key", options.key_id)
        with acting(act):
            ended = revoke_key(database, options.key_id)
        return 0 if ended else _no_such_key(database, act, options.key_id)
    elif options.action == "installation":
        print(read_side(database).installation_id)
    elif options.action == "accept-missing":
        frames = sum(frames for frames, _ in missing_rows(database).values())
        with acting(act_of_this_user("accept-missing", frames=frames)):
            accept_missing(database, frames)
        print(f"accepted: at most {frames} frames have no row")
    elif options.action == "retention":
        _remove_old(options, database, settings)
    else:
        return _show_current(database)
    return 0


def _limit(text: str) -> int | None:
    """Raises BadMessageError: it is none."""
    try:
        return None if text == "default" else int(text)
    except ValueError:
        raise BadMessageError(
            f"tokens_per_minute: {text!r} is no number; give one, 0 for any number, or default",
            field="tokens_per_minute",
        ) from None


def _no_such_key(database: Database, act: Act, key_id: str) -> int:
    record(database, act, f"{FAILED}no such valid key")
    print(f"there is no valid key {key_id!r}; `list-keys` shows them", file=sys.stderr)
    return 1


def _remove_old(options: argparse.Namespace, database: Database, settings: Settings) -> None:
    """`old` is what is found, `removed` what one transaction took, `done` all of it."""

    def tell(event: str, counts: Mapping[str, int]) -> None:
        if options.json:
            print(json.dumps({event: counts}), flush=True)

    pictures = open_frame_store(settings.picture_store_url, ttl_s=None)
    now = datetime.now(UTC)
    horizons = Horizons.from_settings(settings, now, options.days)
    old = count_old(database, pictures, horizons, now)
    tell("old", old)
    removed: Counter[str] = Counter()
    if not options.dry_run:
        asked: dict[str, Any] = {} if options.days is None else {"days": options.days}
        record(database, act_of_this_user("retention", **asked), DONE)
        wait = Event().wait
        removed = remove_old(database, pictures, horizons, now, wait=wait, tell=lambda took: tell("removed", took))
        tell("done", removed)
    if not options.json:
        for name, count in (old if options.dry_run else removed).items():
            print(f"{count:>12}  {name}")


def _show_current(database: Database) -> int:
    current, expected = current_revision(database), expected_revision()
    print(f"{current or 'none'}" if current == expected else f"{current or 'none'} (this version needs {expected})")
    return 0 if current == expected else 1


if __name__ == "__main__":
    raise SystemExit(main())
