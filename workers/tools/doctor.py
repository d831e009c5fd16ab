"""`python -m workers.tools.doctor`: models with their sums, runtimes and GPU, for `sightline doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from sightline.doctor.elsewhere import answer
from sightline.doctor.finding import Finding, bad, ok, warn
from sightline.errors import ModelError
from sightline.settings import Settings
from workers.models.files import must_be_fetched, resolve
from workers.models.registry import ModelSpec, Runtime, find_model
from workers.models.runtimes import choose_runtime, cuda_index, is_installed


def look_at_models(settings: Settings) -> Iterator[Finding]:
    """Whether the weights that the settings name are here, whole, and can be run. Downloads nothing."""
    for name in _names(settings):
        what = f"model: {name}"
        try:
            spec = find_model(name, settings)
            if must_be_fetched(name, settings.model_copy(update={"offline": False})):
                says = "SIGHTLINE_OFFLINE forbids to download it" if settings.offline else "is downloaded when needed"
                yield warn(what, f"is not here, and {says}", f"python -m workers.tools.fetch {name}, if you use it")
                continue
            runtime = choose_runtime(name, spec, settings)
            file = resolve(name, settings, suffix=_suffix(spec, runtime))
        except ModelError as error:
            yield bad(what, str(error), "docs/reference/models.md has what there is and where it comes from")
            continue
        yield ok(what, f"{file.path.name}, sha256 {file.sha256[:12]}…, runs in {runtime}")


def _names(settings: Settings) -> list[str]:
    """Of all models that workers with these settings open for pictures, each once."""
    names = [settings.plates_model, settings.objects_model, settings.text_model]
    if settings.whole_plates_recognizer in ("plates", "voted"):
        names.append("plates-recognizer")
    if settings.recognizer == "rapidocr":
        names.append("ppocr-rec")
    return list(dict.fromkeys(name for name in names if name != "stub"))


def _suffix(spec: ModelSpec, runtime: Runtime) -> str:
    """Of the file that is opened: of one trained in torch, the export that lies beside it."""
    return ".onnx" if spec.source.endswith(".pt") and runtime != "torch" else ""


def look_at_runtimes(settings: Settings) -> Iterator[Finding]:
    """What could execute models here, and whether there is a GPU for it."""
    installed = [name for name in ("openvino", "onnxruntime", "torch") if is_installed(name)]
    index = cuda_index(settings.device)
    gpu = "no GPU is used" if index is None else f"GPU {index}"
    if installed:
        yield ok("runtimes", f"{', '.join(installed)}; {gpu}")
    else:
        yield bad("runtimes", "none is installed", "pip install -e '.[cpu]', or '.[gpu]'")


if __name__ == "__main__":
    raise SystemExit(answer(("models", look_at_models), ("runtimes", look_at_runtimes)))
