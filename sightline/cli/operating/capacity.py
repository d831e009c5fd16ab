"""`sightline capacity`: how many cameras, what saturates first, what one more worker gives."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sightline.capacity.costs import ServiceTimes, load_service_times, save_service_times
from sightline.cli.output import JsonFlag, err, line, out, print_json, print_rows
from sightline.cli.pipelines import pipeline_option
from sightline.errors import SettingsError
from sightline.local.checkout import require_checkout, run_once
from sightline.pipelines import DEFAULT, registry
from sightline.settings import PREFIX, Settings, load_settings
from sightline.types import Pipeline

if TYPE_CHECKING:
    from sightline.capacity.check import Checked
    from sightline.capacity.measure import Tell
    from sightline.capacity.search import Answer, Goal
    from sightline.capacity.simulation import Plan

_PICTURES = 8
_BUSY = 0.8  #: above it something is called saturated
_OTHERS = 0.15  #: share of the cores above which other processes are spoken of


def capacity(
    fps: Annotated[float, typer.Option(help="Frames a second of each camera.")] = 5.0,
    p95_ms: Annotated[
        float, typer.Option(help="95 % of all frames are stored within this time after being published.")
    ] = 1000,
    workers: Annotated[
        str | None, typer.Option(help="Processes by role, such as detect=2,ocr=1; a role left out has one.")
    ] = None,
    pipeline: Annotated[
        Pipeline | None, pipeline_option(f"What is measured; {DEFAULT} unless --service-times says it.")
    ] = None,
    cores: Annotated[int | None, typer.Option(help="On paper: so many; else those that were measured.")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", "--items", help="Folder of pictures as your cameras take them; of texts or sounds."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to measure, beside starting.")] = 45,
    save: Annotated[Path | None, typer.Option(help="Write the measured service times into this file.")] = None,
    service_times: Annotated[Path | None, typer.Option(help="Measure nothing, take those of this file.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Predict and run 1, 2 and 4 workers of a simulated GPU.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say how many cameras this machine, or a cluster on paper, can take.

    Measures about a minute with a Redis, workers and database of its own, with the models of the settings; nothing of
    yours is touched. Whatever else runs meanwhile makes the answer smaller.

    For a pipeline that takes no pictures a camera is any source, and a frame one of its texts or sounds.
    """
    _require("simpy")
    tick_ms = _check_numbers(fps, p95_ms, cores, seconds)
    if check:
        given = {"workers": workers, "pipeline": pipeline}
        _refuse("--check", service_times=service_times, pictures=pictures, save=save, cores=cores, **given)
        _check_model(seconds, as_json)
        return
    if service_times is not None:
        _refuse("--service-times", pictures=pictures, save=save, pipeline=pipeline)
        times = load_service_times(service_times)
        counts = _parse_workers(workers, times.pipeline)
    else:
        counts = _parse_workers(workers, pipeline or DEFAULT)
        times = _measure(pictures, seconds, pipeline or DEFAULT)
        if save is not None:
            save_service_times(save, times)
    from sightline.capacity.search import Goal
    from sightline.capacity.simulation import Plan

    plan, goal = Plan(times, counts, cores or times.cores, tick_ms), Goal(fps, p95_ms)
    _say(plan, goal, _search(plan, goal), as_json)


def _parse_workers(text: str | None, pipeline: str) -> dict[str, int]:
    roles = registry().roles_of(pipeline)
    counts: dict[str, int] = dict.fromkeys(roles, 1)
    for part in [] if text is None else text.split(","):
        role, _, number = part.strip().partition("=")
        if role not in counts or not number.isdecimal() or int(number) < 1:
            raise SettingsError(
                f"--workers: {part.strip()!r} is not one of {', '.join(roles)} with a number from 1 on, "
                f"such as {roles[0]}=2"
            )
        counts[role] = int(number)
    return counts


def _check_numbers(fps: float, p95_ms: float, cores: int | None, seconds: float) -> float:
    """Returns the tick of the camera process."""
    tick_ms = load_settings().camera_tick_ms
    numbers = {"--fps": fps, "--p95-ms": p95_ms, "--cores": cores or (1 if cores is None else 0)}
    for option, value in numbers.items():
        if not 0 < value < float("inf"):
            raise SettingsError(f"{option}: {value:g} is no such number; give one above 0")
    if seconds < 1:
        raise SettingsError(f"--seconds: {seconds:g} is too short to measure anything; give at least 1, better 45")
    if tick_ms and fps > 1000 / tick_ms:
        raise SettingsError(
            f"--fps: {fps:g} is more than the {1000 / tick_ms:g} a second of one camera that "
            f"SIGHTLINE_CAMERA_TICK_MS={tick_ms:g} lets through; give less, or set a shorter tick"
        )
    return tick_ms


def _refuse(option: str, **others: object) -> None:
    if given := [name for name, value in others.items() if value is not None]:
        other = f"--{given[0].replace('_', '-')}"
        raise SettingsError(f"{other} has no meaning with {option}, which measures with what it has; leave one out")


def _measure(pictures: Path | None, seconds: float, pipeline: Pipeline) -> ServiceTimes:
    _require("psutil")
    require_checkout("workers", "storage")
    from sightline.capacity.measure import SUFFIXES, measure

    accepts, unused = registry().get(pipeline).accepts, _unused_models(pipeline)
    environment = os.environ | {PREFIX + name.upper(): value for name, value in unused.items()}
    with tempfile.TemporaryDirectory(prefix="sightline-pictures-") as name, _progress() as tell:
        folder = pictures or Path(name)
        if pictures is None:
            if "image" not in accepts:
                raise SettingsError(f"--items: {pipeline} takes {', '.join(accepts)}; name a folder of that")
            if importlib.util.find_spec("demo") is None:
                raise SettingsError("--pictures: there is no demo here to draw any; name a folder of your own")
            run_once("demo.photos", name, str(_PICTURES), environment=environment)
        elif not pictures.is_dir():
            known = ", ".join(suffix for medium in accepts for suffix in SUFFIXES[medium])
            raise SettingsError(f"--pictures: there is no folder {pictures}; name one with {known} files")
        return measure(folder, unused, environment, seconds, tell, pipeline)


def _unused_models(pipeline: Pipeline) -> dict[str, str]:
    """Settings that keep the workers from loading models that only other pipelines of the same stages ask for."""
    known = registry()
    shared = [name for name in known.names if set(known.tasks[pipeline]).intersection(known.tasks[name][:-1])]
    settings = [f"{name}_model" for name in shared if name != pipeline]
    return {name: "stub" for name in settings if name in Settings.model_fields}


def _check_model(seconds: float, as_json: bool) -> None:
    _require("psutil")
    require_checkout("workers", "storage")
    from sightline.capacity.check import check

    rows: list[Checked] = []
    with _progress() as tell:
        rows.extend(check(seconds, tell))
    columns = {
        "workers": "detect workers",
        "predicted_frames_per_s": "frames/s predicted",
        "measured_frames_per_s": "measured",
        "frames_error": "error",
        "cameras": "cameras",
        "predicted_p95_ms": "p95 ms predicted",
        "measured_p95_ms": "measured ",
        "p95_error": "error ",
        "others_cores": "cores busy with others",
    }
    table = [asdict(row) | {"frames_error": row.frames_error, "p95_error": row.p95_error} for row in rows]
    if not as_json:
        table = [{key: _readable(key, value) for key, value in row.items()} for row in table]
    print_rows(table, columns, as_json=as_json, empty="")


def _search(plan: Plan, goal: Goal) -> Answer:
    from sightline.capacity.search import answer

    with _progress() as tell:
        done = 0

        def note() -> None:
            nonlocal done
            done += 1
            tell(f"simulation {done}")

        return answer(plan, goal, note)


def _say(plan: Plan, goal: Goal, found: Answer, as_json: bool) -> None:
    outcome, times = found.outcome, plan.times
    first, most = outcome.saturates_first, max(outcome.utilization.values())
    if as_json:
        print_json(
            {
                "pipeline": times.pipeline,
                "cameras": found.cameras,
                "fps": goal.fps,
                "wanted_p95_ms": goal.p95_ms,
                "workers": dict(plan.workers),
                "cores": plan.cores,
                "frames_per_s": outcome.frames_per_s,
                "p50_ms": _finite(outcome.p50_ms),
                "p95_ms": _finite(outcome.p95_ms),
                "utilization": dict(outcome.utilization),
                "saturates_first": first,
                "one_more": dict(found.one_more),
                "service_times": times.model_dump(),
            }
        )
        return
    what = f" at {goal.fps:g} fps with p95 <= {goal.p95_ms:g} ms on {plan.cores} core{'s' if plan.cores > 1 else ''}"
    out.print(line((f"{found.cameras} cameras", "bold green" if found.cameras else "bold red"), what))
    if found.cameras:
        out.print(
            line(f"{outcome.frames_per_s:.0f} frames/s; p50 {outcome.p50_ms:.0f} ms, p95 {outcome.p95_ms:.0f} ms")
        )
    else:
        out.print(line(f"not even one: its p95 would be {outcome.p95_ms:.0f} ms"))
    print_rows([_row(plan, found, name) for name in (*plan.workers, "cores")], _COLUMNS, as_json=False, empty="")
    if first == "cores":
        out.print(line("first to saturate: the cores; another worker gives nothing, more or faster cores do"))
    else:
        out.print(line(f"first to saturate: {first}"))
    if most < _BUSY:
        out.print(line(f"nothing is busy ({most:.0%} at most): it is the latency that leaves no room for more"))
    if times.others_cores > _OTHERS * times.cores:
        others = f"others kept {times.others_cores:.1f} of {times.cores} cores busy while it was measured: without them"
        out.print(line((f"{others} there is room for more; measure again on an idle machine", "yellow")))
    if times.measured_frames_per_s:
        out.print(
            line((f"measured with one worker a role, saturated: {times.measured_frames_per_s:.1f} frames/s", "dim"))
        )


_COLUMNS = {
    "name": "",
    "workers": "workers",
    "utilization": "busy",
    "message_ms": "ms a message",
    "frame_ms": "ms a frame",
    "call_ms": "model: ms a call",
    "image_ms": "ms an image",
    "image_cpu_ms": "CPU ms an image",
    "one_more": "one more gives",
}


def _row(plan: Plan, found: Answer, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "utilization": f"{found.outcome.utilization[name]:.0%}"}
    if name == "cores":
        return row | {"workers": plan.cores}
    times = plan.times.roles[name]
    if times.model is not None:
        row |= {
            "call_ms": times.model.call_ms,
            "image_ms": times.model.image_ms,
            "image_cpu_ms": times.model.image_cpu_ms,
        }
    return row | {
        "workers": plan.workers[name],
        "message_ms": times.message_ms,
        "frame_ms": times.frame_ms,
        "one_more": f"+{found.one_more[name]} cameras",
    }


def _readable(key: str, value: Any) -> Any:
    if key.endswith("_error"):
        return f"{value:+.0%}"
    if key == "others_cores":
        return f"{value:.1f}"
    return f"{value:.0f}" if isinstance(value, float) else value


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise SettingsError(f"this needs {package}, which is not installed: pip install 'sightline[capacity]'")


@contextmanager
def _progress() -> Iterator[Tell]:
    """A line on standard error that says what is being done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda text: progress.update(task, description=text)
