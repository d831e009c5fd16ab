"""`sightline explain`: why a photo or a stored frame has the plate it has, or none."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from sightline.cli.output import JsonFlag, line, out, print_json, print_rows, show
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api, fetch
from sightline.errors import BadMessageError, SettingsError
from sightline.local.checkout import require_checkout, run_once
from sightline.settings import PREFIX, PlaceSettings, Settings

_FRAME_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}")


def explain(
    what: Annotated[str, typer.Argument(help="A photo, or the id of a stored frame.")],
    picture: Annotated[Path | None, typer.Option("--out", help="Draw it into this JPEG file.")] = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Say for every box what became of it: too small, unsure, refused, split, voted out, chosen.

    A photo is read here and now, with the models of the settings; nothing needs to run and nothing is stored. Of a
    stored frame the API tells what its workers found.
    """
    settings = settings_for(data)
    if picture is not None:
        _check_target(picture)
    if Path(what).is_file():
        explanation = _explain_photo(Path(what), settings, picture)
    elif _FRAME_ID.fullmatch(what):
        explanation = _explain_frame(what, settings, picture)
    else:
        raise BadMessageError(f"{what}: there is no such file, and it is no frame id", field="what")
    if as_json:
        print_json(explanation)
    else:
        _show(explanation)


def _explain_photo(photo: Path, settings: PlaceSettings, picture: Path | None) -> dict[str, Any]:
    """Workers and producers have the models and the pencil; the command only brings them together."""
    require_checkout("workers", "producers", "storage", "cv2")
    environment = dict(os.environ) | {PREFIX + "DATA_DIR": str(settings.data_dir)}
    said = run_once("workers.tools.explain", str(photo), environment=environment).strip().splitlines()[-1]
    if picture is not None:
        arguments = (str(photo), "--out", str(picture))
        run_once("producers.api.drawing.explanation", *arguments, environment=environment, given=said)
    return json.loads(said)


def _explain_frame(frame_id: str, settings: Settings, picture: Path | None) -> dict[str, Any]:
    explanation: dict[str, Any] = call_api(settings, "GET", f"/frames/{frame_id}/explanation")
    if picture is not None:
        picture.write_bytes(fetch(settings, f"/frames/{frame_id}/explanation/picture"))
    return explanation


def _check_target(picture: Path) -> None:
    """Before anything is done, so that nothing is done in vain."""
    if picture.suffix.lower() not in (".jpg", ".jpeg"):
        raise SettingsError(f"--out: {picture.name} is written as JPEG; call it {picture.stem}.jpg")
    if not picture.resolve().parent.is_dir():
        raise SettingsError(f"--out: there is no folder {picture.resolve().parent}; make it first")


def _show(explanation: dict[str, Any]) -> None:
    frame: dict[str, Any] = explanation["frame"]
    name = Path(frame["name"]).name or frame["frame_id"]
    verdict = (explanation["why"], "green" if explanation["plate"] else "yellow")
    out.print(line(f"{name}, {explanation['width']} x {explanation['height']}: ", verdict))
    rows = [_row(candidate) for candidate in explanation["candidates"]]
    columns = {
        "index": "box",
        "confidence": "detector",
        "height_px": "px high",
        "text": "read",
        "sure": "sure",
        "verdict": "verdict",
        "why": "why",
    }
    if rows:
        print_rows(rows, columns, as_json=False, empty="")
    whence = f", time from {frame['time_from']}" if frame.get("time_from") else ""
    order = f"in sequence {frame['sequence']}" if frame.get("sequence") else "stands alone"
    out.print(line((f"captured {show(frame['captured_at'])} UTC{whence}; {order}", "dim")))
    for stage in explanation["stages"]:
        out.print(
            line((f"{stage['stage']}: {stage['model']} in {stage['runtime']}, {stage['inference_ms']:.0f} ms", "dim"))
        )


def _row(candidate: dict[str, Any]) -> dict[str, Any]:
    reading: dict[str, Any] = candidate["reading"] or {}
    return {
        "index": candidate["index"],
        "confidence": candidate["detection"]["confidence"],
        "height_px": round(candidate["height_px"]),
        "text": reading.get("text"),
        "sure": reading.get("confidence"),
        "verdict": candidate["verdict"].replace("_", " "),
        "why": candidate["why"],
    }
