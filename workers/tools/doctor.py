"""`python -m workers.tools.doctor`: models with their sums, runtimes and GPU, for `sightline doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from sightline.doctor.elsewhere import answer
from sightline.doctor.finding import Finding, bad, ok, warn
from sightline.errors import ModelError
from sightline.settings import Settings
from workers.models.files import must_be_fetched, resolve
from workers.models.registry import find_model
from workers.models.runtimes import choose_runtime, cuda_index, is_installed


def look_at_models(settings: Settings) -> Iterator[Finding]:
    """Whether the weights that the settings name are here, whole, and can be run. Downloads nothing."""
    for setting in ("plates_model", "objects_model", "text_model"):
        name: str = getattr(settings, setting)
        what = f"model: {name}"
        try:
            spec = find_model(name, settings)
            if must_be_fetched(name, settings.model_copy(update={"offline": False})):
                says = "SIGHTLINE_OFFLINE forbids to download it" if settings.offline else "is downloaded when needed"
                yield warn(what, f"is not here, and {says}", f"python -m workers.tools.fetch {name}, if you use it")
                continue
            runtime, file = choose_runtime(name, spec, settings), resolve(name, settings)
        except ModelError as error:
            yield bad(what, str(error))
            continue
        yield ok(what, f"sha256 {file.sha256[:12]}…, runs in {runtime}")


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
