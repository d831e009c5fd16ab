"""`sightline cameras`: add, change, pause and remove cameras while everything runs."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sightline.cli.discover import discover
from sightline.cli.output import JsonFlag, err, out, print_done, print_json, print_rows
from sightline.cli.pipelines import pipeline_option
from sightline.cli.polygons import read_polygons, read_zones
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api
from sightline.errors import BadMessageError
from sightline.pipelines import DEFAULT
from sightline.types import Pipeline

#: An address that does not answer is tried twice, then pictures are looked at.
_TEST_TIMEOUT_S: Final = 60.0
_TOLD: Final = {
    "kind": "kind",
    "codec": "codec",
    "size": "size",
    "stated_fps": "fps stated",
    "measured_fps": "fps measured",
    "keys": "key frames",
    "opened_s": "opened in s",
    "first_picture_s": "first picture after s",
    "latency": "latency",
    "came": "pictures",
}

#: Of a camera. A file in this folder may be called so too.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

app = typer.Typer(help="Cameras: discover, test, list, add, change, pause, resume, remove.", no_args_is_help=True)
app.command()(discover)

Name = Annotated[str, typer.Argument(help="Name of the camera; it is the source of its rows.")]
Fps = Annotated[float, typer.Option(min=0.1, max=60, help="Frames a second that are looked at, at most.")]
MinFps = Annotated[
    float | None,
    typer.Option(min=0.1, max=60, help="Rate to fall to while the workers do not keep up or nothing moves."),
]
Rotation = Annotated[
    int | None, typer.Option(help="Degrees clockwise that make its pictures upright: 90, 180, 270; 0: as they are.")
]
Mask = Annotated[
    list[str] | None,
    typer.Option(
        help="What is looked at, a polygon such as '0,0.5 1,0.5 1,1 0,1': x,y in shares of the upright picture. Again "
        "for one more; '' for all."
    ),
]
Zone = Annotated[
    list[str] | None,
    typer.Option(
        help="A named part of the picture, such as 'gate:report=0,0.5 1,0.5 1,1 0,1'; mark, report (nothing outside is "
        "stored) or look (nor looked at). In pixels with the size at the end: '@1920x1080'. Again for one more; '' for "
        "none."
    ),
]
AfterReading = Annotated[
    str | None, typer.Option(help="What becomes of a photo in a watched folder once it was read: keep, move, delete.")
]
SubUrl = Annotated[
    str | None,
    typer.Option(
        help="A smaller stream of the same camera, which is looked at all the time; when something moves, the picture "
        "of the other is sent. '': none."
    ),
]
Preset = Annotated[str, typer.Option(help="live: newest wins, late frames are dropped. archive: nothing is dropped.")]


@app.command("list")
def list_cameras(as_json: JsonFlag = False, data: Data = None) -> None:
    """Cameras and how they do."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", "/cameras")
    cameras: list[dict[str, Any]] = answer["items"]
    if as_json:
        print_rows(cameras, {}, as_json=True, empty="")
        return
    rows = [_row(camera) for camera in cameras]
    columns = {
        "camera_id": "camera",
        "state": "state",
        "condition": "condition",
        "pipeline": "pipeline",
        "limits": "fps wanted",
        "budget_fps": "fps now",
        "fps_measured": "fps read",
        "frames_read": "read",
        "unreadable": "unreadable",
        "sampled": "sampled",
        "thinned": "thinned",
        "gated": "still",
        "dropped": "dropped",
        "published": "published",
        "saved": "saved",
        "url": "url",
        "last_error": "last error",
    }
    print_rows(rows, columns, as_json=False, empty="no cameras; add one: sightline cameras add NAME URL")


@app.command("test")
def look(
    url: Annotated[str, typer.Argument(help="An address as in `add`, or the name of a camera.")],
    picture: Annotated[Path | None, typer.Option(help="Write the newest picture to this file, a JPEG.")] = None,
    rotation: Rotation = None,
    zone: Zone = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """What a stream is, before it is added: codec, size, rate, key frames, latency, and a picture with the zones.

    It is looked at for a few seconds from where the API runs. Exit status 1: it does not work; the cure is said.
    """
    found: dict[str, Any] = call_api(
        settings_for(data), "POST", "/cameras/test", body=_asked(url, rotation, zone), waits_s=_TEST_TIMEOUT_S
    )
    if picture is not None and found["picture"] is not None:
        try:
            picture.write_bytes(base64.b64decode(found["picture"]))
        except OSError as error:
            raise BadMessageError(
                f"--picture {picture}: {error.strerror}; choose another file", field="picture"
            ) from error
    if as_json:
        print_json(found)
    elif found["error"] is not None:
        err.print(found["error"])
    else:
        print_rows([_told(found)], _TOLD, as_json=False, empty="")
        for hint in found["hints"]:
            out.print(f"- {hint}")
    if found["error"] is not None:
        raise typer.Exit(1)


@app.command()
def add(
    name: Name,
    url: Annotated[
        str,
        typer.Argument(
            help="rtsp://…, http(s)://…, rtmp://…, srt://…, a video file, a folder of photos (ends with /), a USB "
            "index (0)."
        ),
    ],
    pipeline: Annotated[Pipeline, pipeline_option("What to do with its frames.")] = DEFAULT,
    fps: Fps = 5.0,
    min_fps: MinFps = None,
    preset: Preset = "live",
    motion: Annotated[bool, typer.Option(help="Skip frames in which nothing moves.")] = True,
    loop: Annotated[bool, typer.Option(help="Start a video file again at its end.")] = False,
    rotation: Rotation = None,
    mask: Mask = None,
    zone: Zone = None,
    after_reading: AfterReading = None,
    sub_url: SubUrl = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Add a camera. It runs within two seconds."""
    body = {
        "camera_id": name,
        "url": _address(url),
        "sub_url": _address(sub_url, "sub_url") if sub_url else None,
        "pipeline": pipeline,
        "fps": fps,
        "min_fps": min_fps,
        "preset": preset,
        "motion": motion,
        "loop": loop,
        "rotation": rotation or 0,
        "mask": read_polygons(mask or []),
        "zones": read_zones(zone or []),
        "after_reading": after_reading or "keep",
    }
    print_done(call_api(settings_for(data), "POST", "/cameras", body=body), f"{name} added", as_json=as_json)


@app.command()
def change(
    name: Name,
    url: Annotated[str | None, typer.Option(help="New address.")] = None,
    pipeline: Annotated[Pipeline | None, pipeline_option("New pipeline.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, max=60, help="New rate.")] = None,
    min_fps: Annotated[
        float | None, typer.Option(min=0.1, max=60, help="New lower limit; as much as --fps: the rate stays.")
    ] = None,
    motion: Annotated[bool | None, typer.Option(help="Skip frames in which nothing moves.")] = None,
    rotation: Rotation = None,
    mask: Mask = None,
    zone: Zone = None,
    after_reading: AfterReading = None,
    sub_url: SubUrl = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Change a camera."""
    given = {
        "url": None if url is None else _address(url),
        "pipeline": pipeline,
        "fps": fps,
        "min_fps": min_fps,
        "motion": motion,
        "rotation": rotation,
        "mask": None if mask is None else read_polygons(mask),
        "zones": None if zone is None else read_zones(zone),
        "after_reading": after_reading,
    }
    body: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    if sub_url is not None:
        body["sub_url"] = _address(sub_url, "sub_url") if sub_url else None
    print_done(call_api(settings_for(data), "PATCH", f"/cameras/{name}", body=body), f"{name} changed", as_json=as_json)


@app.command()
def pause(name: Name, as_json: JsonFlag = False, data: Data = None) -> None:
    """Stop reading a camera; its rows stay."""
    answer = call_api(settings_for(data), "PATCH", f"/cameras/{name}", body={"enabled": False})
    print_done(answer, f"{name} paused", as_json=as_json)


@app.command()
def resume(name: Name, as_json: JsonFlag = False, data: Data = None) -> None:
    """Read a paused camera again."""
    answer = call_api(settings_for(data), "PATCH", f"/cameras/{name}", body={"enabled": True})
    print_done(answer, f"{name} resumed", as_json=as_json)


@app.command()
def remove(name: Name, data: Data = None) -> None:
    """Remove a camera; its rows stay."""
    call_api(settings_for(data), "DELETE", f"/cameras/{name}")
    out.print(f"{name} removed")


def _asked(url: str, rotation: int | None, zones: list[str] | None) -> dict[str, Any]:
    if _NAME.fullmatch(url) and not url.isdigit() and not Path(url).exists():
        if rotation is not None or zones is not None:
            raise BadMessageError(
                f"{url!r} is a camera's name, which is tested with its own settings; to try a --rotation or --zone, "
                "give the address",
                field="url",
            )
        return {"camera_id": url}
    seen: dict[str, Any] = {"rotation": rotation, "zones": None if zones is None else read_zones(zones)}
    return {"url": _address(url), **{name: value for name, value in seen.items() if value is not None}}


def _address(url: str, field: str = "url") -> str:
    """A file or folder as the camera process finds it from its own. It may run elsewhere and have files of its own."""
    if not url.strip():  # as a path it would be this folder, with all that lies in it
        raise BadMessageError(f"{field}: {url!r} is no address; name a stream, a file or a folder", field=field)
    if "://" in url or url.isdigit():
        return url
    path = Path(url)
    if path.is_file():
        return str(path.resolve())
    if path.is_dir():
        return f"{path.resolve()}/"
    if path.is_absolute():
        return url
    raise BadMessageError(
        f"{field}: there is no file or folder {url!r} here; of one on the machine of the camera process give the "
        "absolute path",
        field=field,
    )


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    damaged = found["damaged"]
    return {
        **found,
        "size": f"{found['width']} x {found['height']}" if found["width"] else "not known",
        "keys": _key_frames(found),
        "came": f"{found['pictures']}, {damaged} damaged" if damaged else found["pictures"],
        "latency": "not said" if found["latency_s"] is None else f"{found['latency_s']:.2f} s",
    }


def _key_frames(found: Mapping[str, Any]) -> str:
    if found["opened_s"] is None:  # photos have none
        return ""
    return "fewer than two came" if found["key_frame_s"] is None else f"every {found['key_frame_s']:g} s"


def _row(camera: Mapping[str, Any]) -> dict[str, Any]:
    """A camera's settings and status side by side; both have an `fps`. Without Redis there is no status."""
    status: dict[str, Any] = camera.get("status") or {}
    measured = {"fps_measured" if name == "fps" else name: value for name, value in status.items()}
    lowest, saved = camera.get("min_fps"), status.get("saved_percent")
    limits = camera["fps"] if lowest is None else f"{lowest:g} to {camera['fps']:g}"
    return {**camera, **measured, "limits": limits, "saved": None if saved is None else f"{saved:.0f} %"}
