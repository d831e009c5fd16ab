"""Commands that ask the API: passages, detections, readings, findings, status, queues, audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sightline.cli.export import export
from sightline.cli.output import JsonFlag, line, out, print_json, print_rows, show
from sightline.client.asking import passages_path
from sightline.client.http import PAGE, call_api, list_items
from sightline.errors import BadMessageError, SettingsError
from sightline.local.kinds import TOLD, read_told
from sightline.settings import Settings, load_settings

Source = Annotated[str | None, typer.Option(help="Only this source.")]
Zone = Annotated[str | None, typer.Option(help="Only what was in this zone of its camera.")]
Since = Annotated[str | None, typer.Option(help="From then on: 15m, 1h, 2d, or a date and time.")]
Until = Annotated[str | None, typer.Option(help="Before then, written like --since.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
Data = Annotated[Path | None, typer.Option(help="Data folder of `sightline up`.")]


_MOST_CHARS = 60  #: of a value in a table


def settings_for(data: Path | None) -> Settings:
    """The settings of the system whose data folder was named, or else of the one that the environment says.

    Raises:
        SettingsError: nothing was ever started in the named folder.
    """
    if data is None:
        return load_settings()
    if not (data / "run.env").is_file():
        raise SettingsError(f"--data: no run.env in {data}: is that the folder of `sightline up`?")
    return load_settings(data_dir=data)


def passages(
    text: Annotated[str | None, typer.Argument(help="Plate; * and ? stand for any characters or one.")] = None,
    like: Annotated[
        float | None,
        typer.Option(
            min=0, max=2, help="Plates that differ by so much, 1 a character, less for look-alikes; nearest first."
        ),
    ] = None,
    likely: Annotated[
        bool,
        typer.Option(
            "--likely",
            help="Plates that may be this one, in which ? stands for one character, by what was read and what else was "
            "thought of; likeliest first.",
        ),
    ] = False,
    list_name: Annotated[str | None, typer.Option("--list", help="Only those on this list of known plates.")] = None,
    country: Annotated[str | None, typer.Option(help="Only those likely of it, such as sk, us or us-tx.")] = None,
    zone: Zone = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many; 50 unless they go to a file.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write all of them to this file as CSV; - is standard output.")
    ] = None,
    xlsx: Annotated[Path | None, typer.Option(help="Write all of them to this file for Excel.")] = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Vehicles that passed: one plate each, voted from all its readings."""
    compares = " and ".join(["--like"] * (like is not None) + ["--likely"] * likely)
    if compares and (text is None or list_name is not None or country is not None):
        raise BadMessageError(f"{compares}: give the plate to compare with, and no --list or --country", field="like")
    if (file := csv or xlsx) is not None:
        if compares or as_json or (csv and xlsx):
            raise BadMessageError("--csv, --xlsx: one of them, without --like, --likely and --json", field="csv")
        filters = {"text": text, "source": source, "since": since, "until": until, "list": list_name}
        filters |= {"country": country, "zone": zone, "limit": limit}
        export(settings_for(data), file, filters, is_excel=bool(xlsx))
        return
    path = passages_path(text, like, likely=likely)
    limit = 50 if limit is None else limit
    if compares:
        require_one_page(limit, compares)
    query = {"text": text, "source": source, "since": since, "until": until}
    query |= {"list": list_name, "country": country, "zone": zone, "max_distance": like}
    rows = list_items(settings_for(data), path, query, limit=limit)
    columns = {
        "text": "plate",
        "source_id": "source",
        "first_seen": "first seen (UTC)",
        "last_seen": "last seen (UTC)",
        "reading_count": "readings",
        "confidence": "confidence",
        "direction": "direction",
        "zones": "zones",
        "country": "country",
        "state": "state",
        "on_list": "list",
    }
    columns |= {"likelihood": "likelihood"} if likely else {"distance": "distance"} if compares else {}
    if not as_json:
        rows = (row | {"text": _plate(row), "on_list": _on_list(row.get("match"))} for row in rows)
    print_rows(rows, columns, as_json=as_json, empty=if_empty(query, "no passages yet"))


def _plate(row: Mapping[str, Any]) -> str:
    correction = row.get("correction")
    return row["text"] if correction is None else f"{row['text']} (read {correction['read']})"


def _on_list(match: Mapping[str, Any] | None) -> str:
    if match is None:
        return ""
    shown = f"{match['list']}: {match['matched']}" + (f" ({match['distance']:g})" if match["distance"] else "")
    return f"{shown}, read as {match['text']}" if match["by"] == "reading" else shown


def detections(
    label: Annotated[str | None, typer.Option(help="Only this label.")] = None,
    zone: Zone = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """What was found, newest first."""
    query = {"label": label, "zone": zone, "source": source, "since": since, "until": until}
    columns = {
        "captured_at": "captured (UTC)",
        "source_id": "source",
        "label": "label",
        "confidence": "confidence",
        "xyxy": "box",
        "zone": "zone",
        "frame_id": "frame",
    }
    _list("/detections", query, columns, limit=limit, as_json=as_json, data=data, empty="no detections yet")


def readings(
    text: Annotated[str | None, typer.Argument(help="Text; * and ? stand for any characters or one.")] = None,
    zone: Zone = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """What was read, newest first."""
    query = {"text": text, "zone": zone, "source": source, "since": since, "until": until}
    columns = {
        "captured_at": "captured (UTC)",
        "source_id": "source",
        "text": "text",
        "unread": "not read",
        "confidence": "confidence",
        "zone": "zone",
        "frame_id": "frame",
    }
    _list("/readings", query, columns, limit=limit, as_json=as_json, data=data, empty="nothing was read yet")


def findings(
    pipeline: Annotated[str | None, typer.Option(help="Only of this pipeline.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this field of results.")] = None,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """What pipelines found that is no passage, detection or reading, newest first."""
    query = {"pipeline": pipeline, "kind": kind, "job": job, "source": source, "since": since, "until": until}
    columns = {
        "captured_at": "captured (UTC)",
        "source_id": "source",
        "pipeline": "pipeline",
        "kind": "field",
        "payload": "value",
        "frame_id": "item",
    }
    rows = list_items(settings_for(data), "/findings", query, limit=limit)
    if not as_json:
        rows = (row | {"payload": _in_short(row["payload"])} for row in rows)
    print_rows(rows, columns, as_json=as_json, empty=if_empty(query, "no findings yet"))


def _in_short(value: Any) -> str:
    """On one line of a table; a whole text is in `--json`."""
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"


def status(as_json: JsonFlag = False, data: Data = None) -> None:
    """Throughput, how long work has waited, what is open and dead, and disk."""
    settings = settings_for(data)
    answer: dict[str, Any] = call_api(settings, "GET", "/status")
    workers = read_told(settings.data_dir / TOLD)
    if as_json:
        print_json(answer | ({"workers": workers} if workers else {}))
        return
    oldest, disk = answer["oldest_open_s"], answer["picture_disk"]
    facts = {
        "frames finished a second, last minute": f"{answer['frames_per_s']:.1f}",
        "frames open": answer["open_frames"],
        "oldest open job": "none" if oldest is None else f"{oldest:.1f} s",
        **{f"messages waiting in {queue}": count for queue, count in answer["waiting"].items()},
        **{f"processes of {kind}": _processes(told) for kind, told in workers.items()},
        "dead letters": answer["dead_letters"],
        "database": f"{answer['database_bytes'] / 1e6:.1f} MB",
    }
    if disk is not None:
        facts["disk of the pictures"] = f"{disk['free_bytes'] / 1e9:.1f} of {disk['bytes'] / 1e9:.1f} GB free"
    rows = [{"what": what, "now": now} for what, now in facts.items()]
    print_rows(rows, {"what": "what", "now": "now"}, as_json=False, empty="")


def _processes(told: Mapping[str, Any]) -> str:
    """How many workers of a kind there are, what of them is now, and why they became more or fewer last."""
    running, now = f"{told['running']} of {told['least']} to {told['most']}", f": {told['now']}" if told["now"] else ""
    return f"{running}{now}; since {show(told['since'])} UTC, as {told['why']}"


def queues(as_json: JsonFlag = False, data: Data = None) -> None:
    """What waits, per queue."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", "/queues")
    if as_json:
        print_json(answer)
        return
    depths: dict[str, int] = answer["depths"]
    print_rows(
        [{"queue": q, "waiting": n} for q, n in depths.items()],
        {"queue": "queue", "waiting": "waiting"},
        as_json=False,
        empty="",
    )


def audit(since: Since = None, until: Until = None, as_json: JsonFlag = False, data: Data = None) -> None:
    """Prove that every published frame is stored, dropped, dead or open. Exit code 1 if not.

    With --since or --until: those published in that time, in whole hours.
    """
    query = {"since": since, "until": until}
    answer: dict[str, Any] = call_api(settings_for(data), "GET", "/audit", query=query)
    if as_json:
        print_json(answer)
    else:
        columns = {
            name: name.replace("_", " ")
            for name in (
                "source_id",
                "published",
                "stored",
                "repeated",
                "dropped",
                "dead",
                "open",
                "rows",
                "removed",
                "lost",
                "balanced",
            )
        }
        print_rows(answer["sources"], columns, as_json=False, empty="nothing was published")
        for note in answer["notes"]:
            out.print(line(note), soft_wrap=True)
        for frame in answer["missing"]:
            out.print(line(f"no row: frame {frame['frame_id']} of job {frame['job_id']}, {frame['outcome']}"))
        if answer["since"]:
            out.print(line(f"published from {show(answer['since'])} until {show(answer['until'])} UTC"))
        out.print(line(("balanced", "green") if answer["balanced"] else ("NOT balanced", "red")))
    if not answer["balanced"]:
        raise typer.Exit(1)


def audit_log(
    actor: Annotated[str | None, typer.Option(help="Only this key, by name or id.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as list_passages or add_camera.")] = None,
    target: Annotated[str | None, typer.Option(help="Only what was done to this.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Who searched and changed what. (`audit` is about frames: where each of them went.) Needs an admin's key."""
    query = {"actor": actor, "action": action, "target": target, "since": since, "until": until}
    columns = {
        "at": "when (UTC)",
        "actor": "who",
        "key_id": "key",
        "address": "from",
        "action": "action",
        "target": "target",
        "query": "query",
        "outcome": "outcome",
    }
    rows = list_items(settings_for(data), "/audit-log", query, limit=limit)
    if not as_json:
        rows = (row | {"query": _in_words(row["query"])} for row in rows)
    print_rows(rows, columns, as_json=as_json, empty=if_empty(query, "no entries yet"))


def _in_words(query: Mapping[str, Any]) -> str:
    """`text=KAB* limit=50`; of what was asked, without what was not."""
    return " ".join(
        f"{name}={json.dumps(value) if isinstance(value, dict) else value}" for name, value in query.items()
    )


def _list(
    path: str,
    query: dict[str, Any],
    columns: dict[str, str],
    *,
    limit: int,
    as_json: bool,
    data: Path | None,
    empty: str,
) -> None:
    rows = list_items(settings_for(data), path, query, limit=limit)
    print_rows(rows, columns, as_json=as_json, empty=if_empty(query, empty))


def require_one_page(limit: int, option: str) -> None:
    if limit > PAGE:
        raise BadMessageError(f"--limit: at most {PAGE} with {option}, which has one page only", field="limit")


def if_empty(query: Mapping[str, Any], empty: str) -> str:
    """What to say of an empty list: that nothing is there, or only that nothing matches."""
    is_filtered = any(value is not None for name, value in query.items() if name != "ended")
    return "nothing matches" if is_filtered else empty
