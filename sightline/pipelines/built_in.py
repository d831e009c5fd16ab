"""The pipelines that come with Sightline, on one screen."""

from __future__ import annotations

from typing import Final

from sightline.pipelines.crops import CROPS
from sightline.pipelines.queues import DETECT_QUEUE, OCR_QUEUE, WRITE_QUEUE
from sightline.pipelines.spec import PipelineSpec, StageSpec
from sightline.types import FrameResult, Pipeline

DETECT: Final = StageSpec("detect", DETECT_QUEUE, "workers.stages.detect", concurrency=16)
OCR: Final = StageSpec("ocr", OCR_QUEUE, "workers.stages.ocr", only_with_payload=True, payload=CROPS)
#: The end of every pipeline.
WRITE: Final = StageSpec("write", WRITE_QUEUE, "workers.stages.write")

BUILT_IN: Final = (
    PipelineSpec(Pipeline.OBJECTS, accepts=("image",), result=FrameResult, stages=(DETECT,)),
    PipelineSpec(Pipeline.TEXT, accepts=("image",), result=FrameResult, stages=(DETECT, OCR)),
    PipelineSpec(
        Pipeline.PLATES,
        accepts=("image",),
        result=FrameResult,
        stages=(DETECT, OCR),
        rows="storage.passages.plate_rows",
    ),
)

#: What is done with a picture where nobody says it.
DEFAULT: Final = Pipeline.PLATES
