"""The pipelines that come with Sightline, on one screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sightline.pipelines.ask import AskOptions, AskResult
from sightline.pipelines.chat import CHAT_QUEUE, ChatOptions, ChatResult
from sightline.pipelines.crops import CROPS
from sightline.pipelines.queues import DETECT_QUEUE, OCR_QUEUE, WRITE_QUEUE
from sightline.pipelines.spec import PipelineSpec, StageSpec
from sightline.pipelines.speech import TRANSCRIBE_QUEUE, TranscribeOptions, TranscribeResult
from sightline.types import MAX_PARTS, FrameResult, Pipeline

# Pictures of one size come and go: given back to the kernel each time, their pages cost a quarter of detection.
_KEEPING_MALLOC: Final = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(128 << 20)}

DETECT: Final = StageSpec("detect", DETECT_QUEUE, "workers.stages.detect", concurrency=16, environment=_KEEPING_MALLOC)
OCR: Final = StageSpec("ocr", OCR_QUEUE, "workers.stages.ocr", only_with_payload=True, payload=CROPS)
CHAT: Final = StageSpec("chat", CHAT_QUEUE, "workers.stages.chat", concurrency=32, streams=True, on_demand=True)
#: A piece that failed costs its words, not those of the others: the result says which are missing.
TRANSCRIBE: Final = StageSpec(
    "transcribe",
    TRANSCRIBE_QUEUE,
    "workers.stages.speech.stage",
    concurrency=2,
    shards=True,
    needs="any",
    held_s=120,
    on_demand=True,
)
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
    PipelineSpec(
        Pipeline.CHAT,
        accepts=("text", "image"),
        result=ChatResult,
        stages=(CHAT,),
        most_parts=MAX_PARTS,
        options=ChatOptions,
        is_new_each_time=True,
    ),
    PipelineSpec(
        Pipeline.TRANSCRIBE,
        accepts=("audio",),
        result=TranscribeResult,
        stages=(TRANSCRIBE,),
        options=TranscribeOptions,
    ),
    # Its stages are those of the others: the same queues, and the models are loaded once.
    PipelineSpec(
        Pipeline.ASK,
        accepts=("text", "image", "audio"),
        result=AskResult,
        stages=(
            DETECT,
            OCR,
            replace(TRANSCRIBE, after=()),
            replace(CHAT, after=("ocr", "transcribe"), needs="any"),
        ),
        most_parts=MAX_PARTS,
        options=AskOptions,
        is_new_each_time=True,
    ),
)

#: What is done with a picture where nobody says it.
DEFAULT: Final = Pipeline.PLATES
