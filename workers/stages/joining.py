"""What several chains found on the frames of a job, as one result for each frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sightline.pipelines.graph import Needed
from sightline.types import Detection, FrameRef, FrameResult, Reading, StageRun
from sightline.wire.parts import Part


def join(frames: Sequence[FrameRef], parts: Mapping[str, Part], needed: Needed) -> tuple[FrameResult, ...]:
    """One result per frame: all that the chains found, each thing once, in the order of the chains.

    A frame has the error of a chain that failed on it: of the first, where `all` are needed, else if all failed.
    """
    found = zip(*(part.results for part in parts.values()), strict=True)
    return tuple(_joined(frame, results, needed) for frame, results in zip(frames, found, strict=True))


def _joined(frame: FrameRef, results: Sequence[FrameResult], needed: Needed) -> FrameResult:
    errors = [result.error for result in results if result.error]
    if errors and (needed == "all" or len(errors) == len(results)):
        return FrameResult(frame=frame, error=errors[0])
    good = [result for result in results if not result.error]
    # As sets that keep their order: chains that forked both have what was found before.
    detections, readings, stages = dict[Detection, int](), dict[Reading, None](), dict[StageRun, None]()
    for result in good:
        places = [detections.setdefault(found, len(detections)) for found in result.detections]
        for reading in result.readings:
            index = reading.detection_index
            moved = reading if index is None else reading.model_copy(update={"detection_index": places[index]})
            readings.setdefault(moved)
        stages.update(dict.fromkeys(result.stages))
    return FrameResult(
        frame=frame,
        width=max(result.width for result in good),
        height=max(result.height for result in good),
        detections=tuple(detections),
        readings=tuple(readings),
        stages=tuple(stages),
    )
