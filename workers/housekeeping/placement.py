"""What a worker process runs and holds, as `sightline workers` shows it; and whether it fits its memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from sightline.celery.lease import held_requests
from sightline.errors import SettingsError
from sightline.pipelines import registry
from sightline.settings import Settings
from sightline.wire.models import LoadedModel
from workers.batching.runner import Runner
from workers.models.memory import GB, memory_held, memory_limit


@runtime_checkable
class HasModels(Protocol):
    """A stage that works with models."""

    @property
    def models(self) -> list[LoadedModel]:
        """Those that are open."""
        ...


class _Stage(Protocol):
    @property
    def runners(self) -> Mapping[str, Runner[Any, Any]]: ...


def placement_of(stages: Mapping[str, _Stage], settings: Settings, threads: int) -> dict[str, Any]:
    """One worker process, JSON-able. `threads`: jobs that it holds at once, those of higher lanes included."""
    return {
        "threads": threads,
        "held_messages": len(held_requests()),
        "memory_bytes": memory_held(),
        "memory_limit_bytes": memory_limit(settings.worker_memory_gb),
        "stages": [_of_stage(task, stage, settings) for task, stage in stages.items()],
    }


def require_fit(settings: Settings, name: str) -> None:
    """Raises SettingsError where a worker holds more than it may when its models are open."""
    held, limit = memory_held(), memory_limit(settings.worker_memory_gb)
    if held > limit:
        raise SettingsError(
            f"SIGHTLINE_WORKER_MEMORY_GB: {name} holds {held / GB:.2f} GB with its models open, and may hold "
            f"{limit / GB:.2f} GB; give it more, fewer stages or smaller models"
        )


def _of_stage(task: str, stage: _Stage, settings: Settings) -> dict[str, Any]:
    spec = registry().stages[task]
    models = stage.models if isinstance(stage, HasModels) else []
    device, precision = _where(spec.name, settings) if models else ("", "")
    return {
        "stage": spec.name,
        "queue": spec.queue,
        "models": [{"name": model.name, "runtime": model.runtime} for model in models],
        "device": device,
        "precision": precision,
        "concurrency": settings.concurrency([spec.name]),
        "waiting_items": sum(runner.stats.waiting for runner in stage.runners.values()),
    }


def _where(stage: str, settings: Settings) -> tuple[str, str]:
    """As the settings say it: the device, and the precision where they choose one."""
    if stage == "chat":
        if settings.chat_engine == "openvino":
            return settings.chat_device, str(settings.chat_properties.get("INFERENCE_PRECISION_HINT", ""))
        return ("server" if settings.chat_engine == "openai" else ""), ""
    if stage == "transcribe":
        return ("server" if settings.speech_engine == "openai" else "CPU"), ""
    if stage == "detect":
        return settings.device, "half where there is" if settings.half else "full"
    return settings.device, ""
