"""`sightline status`: how the system does, on one screen."""

from __future__ import annotations

from typing import Any

from sightline.cli.output import JsonFlag, print_json, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api


def status(as_json: JsonFlag = False, data: Data = None) -> None:
    """Throughput, how long work has waited, what is open and dead, and disk."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", "/status")
    if as_json:
        print_json(answer)
        return
    oldest, disk = answer["oldest_open_s"], answer["picture_disk"]
    facts = {
        "frames finished a second, last minute": f"{answer['frames_per_s']:.1f}",
        "frames open": answer["open_frames"],
        "oldest open job": "none" if oldest is None else f"{oldest:.1f} s",
        **{f"messages waiting in {queue}": count for queue, count in answer["waiting"].items()},
        "dead letters": answer["dead_letters"],
        "database": f"{answer['database_bytes'] / 1e6:.1f} MB",
    }
    if disk is not None:
        facts["disk of the pictures"] = f"{disk['free_bytes'] / 1e9:.1f} of {disk['bytes'] / 1e9:.1f} GB free"
    rows = [{"what": what, "now": now} for what, now in facts.items()]
    print_rows(rows, {"what": "what", "now": "now"}, as_json=False, empty="")
