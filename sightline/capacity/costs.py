"""Service times: what a message and a frame cost each stage of a pipeline, and a call of its model. Saved as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from sightline.errors import SettingsError
from sightline.pipelines import DEFAULT, registry
from sightline.types import Value

Role = str

Ms = Annotated[float, Field(ge=0)]


class Price(Value):
    """CPU time of a message: a fixed price, and one for each frame in it."""

    message_ms: Ms
    frame_ms: Ms

    def ms(self, frames: float) -> float:
        return self.message_ms + self.frame_ms * frames


class ModelTime(Value):
    """A call of a model, alone on the machine: how long it takes (`…_ms`), and its CPU time on all cores (`…_cpu_ms`).

    On a GPU the CPU time is far below the time it takes; a model that keeps two cores busy has twice the time.
    """

    call_ms: Ms
    image_ms: Ms
    call_cpu_ms: Ms
    image_cpu_ms: Ms

    def wall_ms(self, images: float) -> float:
        return self.call_ms + self.image_ms * images

    def cpu_ms(self, images: float) -> float:
        return self.call_cpu_ms + self.image_cpu_ms * images


class RoleTimes(Price):
    """The price is without the model. `None`: the role has no model and does one message after the other."""

    model: ModelTime | None = None
    #: Messages a worker of this role holds at once; None: those of `ServiceTimes`.
    concurrency: Annotated[int, Field(ge=1)] | None = None

    def cpu_ms(self, frames: float, max_batch_size: int) -> float:
        """All CPU time of a message, if nothing shares its batches."""
        if self.model is None or not frames:
            return self.ms(frames)
        calls = -(-frames // max_batch_size)
        return self.ms(frames) + calls * self.model.call_cpu_ms + frames * self.model.image_cpu_ms


class ServiceTimes(Value):
    """Everything the simulation needs to know of a machine, of a pipeline with its models, and of what it works on.

    A frame stands for an item of any medium.
    """

    version: Literal[1] = 1
    pipeline: str = str(DEFAULT)
    cores: Annotated[int, Field(ge=1)]  #: of the machine that was measured
    max_batch_size: Annotated[int, Field(ge=1)]  #: images in a model call, at most
    concurrency: Annotated[int, Field(ge=1)]  #: messages a worker holds at once
    #: What a frame has, on average, for stages that work on what another left (`only_with_payload`), such as crops for
    #: `ocr`. A message without any passes these by.
    crops_per_frame: Annotated[float, Field(ge=0)] = 0.0
    delay_ms: Ms = 0.0  #: what a lone message takes beyond all service times: hops, polls, the disk
    publish: Price
    redis: Price
    roles: Mapping[Role, RoleTimes]  #: by the name of the stage: those of the pipeline, and `write`
    others_cores: Annotated[float, Field(ge=0)] = 0.0  #: kept busy by other processes while it was measured
    measured_frames_per_s: Annotated[float, Field(ge=0)] | None = None  #: saturated, one worker a role


def save_service_times(path: Path, times: ServiceTimes) -> None:
    """Raises SettingsError if the file cannot be written."""
    try:
        path.write_text(times.model_dump_json(indent=2) + "\n", "utf-8")
    except OSError as error:
        raise SettingsError(f"--save {path}: {error.strerror}; name a file in a folder that can be written") from error


def load_service_times(path: Path) -> ServiceTimes:
    """Raises SettingsError, naming file, field and value, if it is missing or not what `--save` writes."""
    cure = "write one with `sightline capacity --save FILE`"
    try:
        times = ServiceTimes.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"--service-times {path}: {error.strerror}; {cure}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        given = repr(first.get("input"))
        text = f"--service-times {path}: {field}: {first['msg']} (got {given[:80]}); {cure}"
        raise SettingsError(text) from error
    if registry().find(times.pipeline) is None:
        text = f"--service-times {path}: pipeline: {times.pipeline!r} is not one of {', '.join(registry().names)}"
        raise SettingsError(f"{text}; install the package that brings it")
    known = registry().roles_of(times.pipeline)
    if unknown := [role for role in times.roles if role not in known]:
        text = f"--service-times {path}: roles: {unknown[0]!r} is unknown; known are {', '.join(known)}"
        raise SettingsError(f"{text}; {cure}")
    if missing := [role for role in known if role not in times.roles]:
        raise SettingsError(f"--service-times {path}: roles: {', '.join(missing)} missing; {cure}")
    return times
