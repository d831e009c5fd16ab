"""Which runtime executes a model on this machine.

Detectors on CUDA: torch for `.pt` files, onnxruntime for `.onnx`; on MPS torch; else OpenVINO, else onnxruntime.
OpenVINO comes first on CPUs because it was the faster one for every model here
(docs/reference/models.md has the numbers).
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from typing import Any, Final

from sightline.errors import ModelError
from sightline.local.machine import count_cores
from sightline.settings import ModelSettings
from workers.models.registry import ModelSpec, Runtime

log = logging.getLogger(__name__)

CUDA: Final = "CUDAExecutionProvider"
_DETECTORS: Final = ("yolo26", "yolo-raw", "yolox", "text-detection")  #: kinds that a GPU worker runs
_CPU_RUNTIMES: tuple[Runtime, ...] = ("openvino", "onnxruntime")
_MOST_CALLS = 4


def choose_runtime(name: str, spec: ModelSpec, settings: ModelSettings) -> Runtime:
    """The runtime for the model `name`.

    `SIGHTLINE_RUNTIME=torch` is meant for the object detector: models that exist as ONNX files only ignore it.

    Raises:
        ModelError: the wanted runtime cannot run this model or is not installed.
    """
    possible = _possible(spec)
    if settings.runtime in possible:
        return _installed(name, settings.runtime)
    if settings.runtime not in ("auto", "torch"):
        raise ModelError(f"model {name!r} runs in {', '.join(possible)}, not in {settings.runtime}", model=name)
    if "torch" in possible and wants_torch(settings.device):
        return _installed(name, "torch")
    if spec.kind in _DETECTORS and cuda_index(settings.device) is not None:
        providers = onnxruntime_providers(settings.device) if is_installed("onnxruntime") else ()
        if "onnxruntime" in possible and CUDA in providers:
            return "onnxruntime"
        require_cuda(name, settings.device, ())
    for runtime in possible:
        if runtime != "torch" and is_installed(runtime):
            return runtime
    return _installed(name, possible[-1])


def openvino_config(threads: int, *, half: bool) -> dict[str, Any]:
    """What every model on OpenVINO is compiled with; `threads` 0: OpenVINO takes one a core.

    `half`: it computes in bfloat16 where the CPU can, up to twice as fast. There is one stream: the thread that calls
    computes itself. Work handed to threads of several streams often woke on a core that was busy.

    Its threads are not pinned to cores: models of one process would be pinned to the same ones, and wait for each other
    there while other cores are idle.
    """
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    if not half:
        config["INFERENCE_PRECISION_HINT"] = "f32"
    return config


def share_threads(threads: int) -> list[int]:
    """How many of `threads`, 0: one a core, each of the calls has that run side by side.

    Threads that work on inputs of their own wait for each other less than those that share one.
    """
    total = threads or count_cores()
    calls = min(total, _MOST_CALLS)
    return [total // calls] * calls


def onnxruntime_options(threads: int) -> Any:
    """What every model on onnxruntime is opened with; `threads` 0: as many as there are cores.

    The number is always said, because otherwise it pins its threads to cores. They do not spin while they wait: the
    cores belong to other models of the process too. No arena: with changing batch sizes it only grows.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or count_cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    return options


def cuda_index(device: str) -> int | None:
    """The number of the CUDA device that `device` names, or that `auto` finds; None: no such device is meant."""
    kind, _, index = device.partition(":")
    if kind == "cuda":
        return int(index) if index.isdecimal() else 0
    if kind != "auto" or not is_installed("torch"):
        return None
    import torch  # pyright: ignore[reportMissingImports]

    return 0 if torch.cuda.is_available() else None


def onnxruntime_providers(device: str) -> dict[str, dict[str, Any]]:
    """What a detector's session in onnxruntime may run on, the best first, with its options."""
    import onnxruntime

    index = cuda_index(device)
    on_cpu: dict[str, dict[str, Any]] = {"CPUExecutionProvider": {}}
    if index is None or CUDA not in onnxruntime.get_available_providers():
        return on_cpu
    onnxruntime.preload_dlls()  # CUDA's libraries from their packages, where the system has none
    # Pictures differ in size: the exhaustive search, its default, would begin again with each.
    return {CUDA: {"device_id": index, "cudnn_conv_algo_search": "HEURISTIC"}} | on_cpu


def require_cuda(name: str, device: str, used: Sequence[str]) -> None:
    """Make it known if a model that belongs on a GPU is about to run on the CPU. `used`: providers of its session.

    Raises:
        ModelError: a device was asked for by name.
    """
    if cuda_index(device) is None or CUDA in used:
        return
    sentence = (
        f"model {name!r} cannot run on the GPU: onnxruntime has no CUDA here. Run pip uninstall onnxruntime "
        "onnxruntime-gpu, then pip install -e '.[gpu]'; or set SIGHTLINE_DEVICE=cpu (docs/reference/models.md)"
    )
    if device != "auto":
        raise ModelError(sentence, model=name)
    log.warning("%s. It runs on the CPU", sentence)


def is_installed(library: str) -> bool:
    """Whether `library` could be imported; does not import it."""
    return importlib.util.find_spec(library) is not None


def wants_torch(device: str) -> bool:
    """Whether `device` is, or `auto` finds, an accelerator that torch drives."""
    if device != "auto":
        return device != "cpu"
    if not is_installed("torch"):
        return False
    import torch  # pyright: ignore[reportMissingImports]

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def _possible(spec: ModelSpec) -> tuple[Runtime, ...]:
    runtimes: tuple[Runtime, ...] = ("torch", *_CPU_RUNTIMES) if spec.source.endswith(".pt") else _CPU_RUNTIMES
    return tuple(runtime for runtime in runtimes if not spec.runtimes or runtime in spec.runtimes) or runtimes


def _installed(name: str, runtime: Runtime) -> Runtime:
    if not is_installed(runtime):
        extra = "gpu" if runtime == "torch" else "cpu"
        raise ModelError(
            f"model {name!r} is to run in {runtime}, which is not installed: pip install -e '.[{extra}]', "
            "or choose another SIGHTLINE_RUNTIME or SIGHTLINE_DEVICE",
            model=name,
        )
    return runtime
