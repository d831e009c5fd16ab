"""RapidOCR, opened for one purpose: its wheel carries the PP-OCRv6 weights and the code around them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from sightline.errors import ModelError
from sightline.local.machine import count_cores
from workers.models.files import ModelFile
from workers.models.registry import Runtime
from workers.models.runtimes import CUDA, onnxruntime_providers, require_cuda


def open_rapidocr(
    file: ModelFile,
    *,
    use: Literal["Det", "Rec"],
    runtime: Runtime,
    threads: int,
    device: str = "cpu",
    params: dict[str, Any] | None = None,
) -> Any:
    """A RapidOCR of its own that only detects or only recognizes: its `use_…` switches stick once they were set.

    Returns RapidOCR's `TextDetector` (Det) or `TextRecognizer` (Rec).

    Raises:
        ModelError: RapidOCR or the runtime is not installed, or the weights cannot be loaded.
    """
    try:
        from rapidocr import RapidOCR
        from rapidocr.utils.typings import EngineType
    except ImportError as error:
        raise ModelError(
            f"model {file.name!r} needs RapidOCR ({error}): pip install -e '.[cpu]'", model=file.name
        ) from error
    cuda = onnxruntime_providers(device).get(CUDA, {}) if runtime == "onnxruntime" else {}
    try:
        ocr = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_det": use == "Det",
                "Global.use_cls": False,
                "Global.use_rec": use == "Rec",
                f"{use}.engine_type": EngineType(runtime),
                f"{use}.model_path": str(file.path),
                "EngineConfig.onnxruntime.intra_op_num_threads": threads or count_cores(),
                "EngineConfig.onnxruntime.use_cuda": bool(cuda),
                **{f"EngineConfig.onnxruntime.cuda_ep_cfg.{option}": value for option, value in cuda.items()},
                "EngineConfig.openvino.inference_num_threads": threads or -1,
                "EngineConfig.openvino.enable_cpu_pinning": False,  # as workers.models.runtimes has it
                **(params or {}),
            }
        )
        ocr(np.zeros((48, 320, 3), np.uint8))  # models are loaded by the first call
    except Exception as error:  # RapidOCR passes on whatever the runtime raises
        raise ModelError(
            f"model {file.name!r}: {file.path} cannot be loaded in {runtime}: {error!r:.300}; reinstall rapidocr",
            model=file.name,
        ) from error
    part: Any = ocr.text_det if use == "Det" else ocr.text_rec
    if runtime == "onnxruntime":
        require_cuda(file.name, device, part.session.session.get_providers())
    return part
