"""Where the files of a chat model are, and whether this machine has the memory for them."""

from __future__ import annotations

from pathlib import Path

from sightline.errors import ModelError, SettingsError
from sightline.settings import Settings
from workers.models.download import sum_of
from workers.models.files import ModelFile, resolve
from workers.models.memory import GB, memory_limit
from workers.models.registry import ModelSpec, find_model


def find_files(name: str, settings: Settings) -> ModelFile:
    """A GGUF file, or a folder prepared for OpenVINO: by the name of an entry in the registry, or by its path.

    Raises:
        ModelError: there is none, or it is no chat model.
    """
    path = Path(name).expanduser()
    if "/" in name and path.exists():
        spec = ModelSpec(kind="chat", source=str(path))
    else:
        spec = find_model(name, settings)
        path = Path(spec.source).expanduser()
    if spec.kind != "chat":
        raise ModelError(f"SIGHTLINE_CHAT_MODEL: {name!r} is of kind {spec.kind!r}; name one of kind chat", model=name)
    if path.is_dir():
        described = path / "openvino_model.xml"
        if not described.is_file():
            raise ModelError(f"model {name!r}: {path} holds no openvino_model.xml; prepare it for OpenVINO", model=name)
        return ModelFile(path.name, spec, path, sum_of(described))
    if "/" in name:
        return ModelFile(path.stem, spec, path, sum_of(path))
    return resolve(name, settings)


def require_memory(path: Path, settings: Settings) -> None:
    """Raises SettingsError where a model and its cache cannot fit this machine's memory; GPUs are not asked."""
    if settings.chat_device != "CPU":
        return
    files = path.rglob("*") if path.is_dir() else [path]
    weights = sum(file.stat().st_size for file in files if file.is_file())
    needed, there = weights + settings.chat_cache_gb * GB, memory_limit(settings.worker_memory_gb)
    if needed > there:
        raise SettingsError(
            f"SIGHTLINE_CHAT_MODEL: {path.name} has {weights / GB:.1f} GB of weights, with a cache of "
            f"{settings.chat_cache_gb} GB (SIGHTLINE_CHAT_CACHE_GB) more than the {there / GB:.1f} GB of memory here; "
            "take a smaller model or cache, or the engine `openai` with a server that has more"
        )
