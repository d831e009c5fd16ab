"""Detectors by name: `open_detector` picks the runtime and loads the weights."""

from __future__ import annotations

from sightline import entry_points
from sightline.settings import ModelSettings
from workers.detectors.detector import Detector
from workers.models.registry import find_model
from workers.models.runtimes import choose_runtime

__all__ = ["Detector", "open_detector"]


def open_detector(name: str, settings: ModelSettings, *, side_by_side: bool = False) -> Detector:
    """Load the detector `name` of the model registry in the fastest runtime of this machine.

    `side_by_side`: a text detector too bears several calls at once where its runtime can; it takes more memory then.

    Raises:
        ModelError: unknown, missing or damaged weights, or a runtime that is not there; says what to do about it.
        SettingsError: the package that brings this kind of model cannot be imported.
    """
    spec = find_model(name, settings)
    if spec.kind == "stub":
        from sightline.testing import StubDetector

        return StubDetector(name, call_ms=spec.call_ms)
    if spec.kind in entry_points.found(entry_points.DETECTORS):
        return entry_points.load(entry_points.DETECTORS, spec.kind)(name, settings)
    runtime = choose_runtime(name, spec, settings)
    if spec.kind == "text-detection":
        from workers.detectors.text import open_text_detector

        return open_text_detector(name, settings, runtime, side_by_side=side_by_side)
    from workers.detectors.yolo import open_yolo_detector

    return open_yolo_detector(name, settings, runtime)
