"""The card of the recognizer's weights: what they are, how they were made, and what was measured."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

from sightline.settings import load_settings
from sightline.types import Reading
from training.plates.measuring.measure import Photo, load_photos, open_named, report, shares
from workers.recognizers.formats import Formats
from workers.recognizers.plates import PlateRecognizer, reading_of
from workers.recognizers.voted import CONTEXT, open_voted_recognizer

_HEAD = """# plates-recognizer

Reads the text of a cut-out licence plate, of one or two lines: A-Z and 0-9 without separators; nothing where no
plate can be read. Input (N, 64, 160) grey uint8, output (N, 80, 37) probabilities for CTC. Trained from scratch with
the code of this repository (`training/plates`) on drawn plates only: no photo of a plate and no other weights went
into it.

License: Apache-2.0, as the project. The letters are libre fonts of Debian packages and our own strokes.
"""
_PHOTOS = """
Real photos of the public OpenALPR benchmark, cut by their true boxes plus a margin (a share of the box height, on
all sides). `dev` was looked at while the drawing was improved and the vote was tuned, both halves when these weights
were compared with those before; neither was trained on. `exact`: the label as it is; `eq`: O and 0, I and 1, B and 8
are equal. `python -m training.plates.measuring.measure PHOTOS` prints the larger tables.
"""
_SPEED_CROPS = 64
_MARGINS = (0.0, 0.1)
#: countries that the photos of a group are from
_COUNTRIES = {"eu": ("sk", "cz", "de", "gb", "pl", "at"), "us": ("us",), "br": ("br",)}


def write_card(weights: Path, made: list[str], photos: Path | None) -> None:
    """Measure the file and write what there is to know about it beside it. `made` says how it was made, a line each."""
    facts = [
        f"File: `{weights.name}`, {weights.stat().st_size / 1e6:.2f} MB (stored as float16, computed in float32)",
        f"sha256: `{hashlib.sha256(weights.read_bytes()).hexdigest()}`",
        *made,
        _speed(weights),
    ]
    text = _HEAD + "\n" + "".join(f"- {fact}\n" for fact in facts)
    if photos is not None:
        text += _PHOTOS + "\n" + "\n".join(_steps(weights, photos)) + "\n"
    weights.with_suffix(".md").write_text(text, "utf-8")


def _speed(weights: Path) -> str:
    """CPU time on one thread, as other work on the machine changes it least."""
    crops = [np.random.default_rng(0).integers(0, 255, (40, 120, 3), dtype=np.uint8)] * _SPEED_CROPS
    recognizer, times = open_named(str(weights), load_settings().model_copy(update={"threads": 1})), list[float]()
    for _ in range(7):
        began = time.process_time()
        recognizer.recognize(crops)
        times.append((time.process_time() - began) / _SPEED_CROPS * 1000)
    return f"Speed: {min(times):.1f} ms of one core a crop, in batches of 16 (onnxruntime, best of 7)"


def _steps(weights: Path, folder: Path) -> list[str]:
    """What each step adds, then groups in detail."""
    own = open_named(str(weights), load_settings())
    assert isinstance(own, PlateRecognizer)
    other = open_named("rapidocr", load_settings())
    voted = open_voted_recognizer(load_settings())  # the weights are where it looks for them
    in_context = load_photos(folder, CONTEXT)
    both = voted.recognize([photo.crop for photo in in_context])
    rows = ["| step | margin | dev exact | dev eq | test exact | test eq |", "| --- | --- | --- | --- | --- | --- |"]
    details: list[str] = []
    for margin in _MARGINS:
        photos = load_photos(folder, margin)
        crops = [photo.crop for photo in photos]
        decoded = own.decode(crops)
        alone = own.recognize(crops)
        known = [
            reading_of(one, Formats(_COUNTRIES.get(photo.group, ())))
            for one, photo in zip(decoded, photos, strict=True)
        ]
        rows += [
            _row("PP-OCR alone", margin, photos, other.recognize(crops)),
            _row("this, no formats", margin, photos, [Reading(text=one.text, confidence=0) for one in decoded]),
            _row("this, formats of all countries (`plates`)", margin, photos, alone),
            _row("this, formats of the photos' own countries", margin, photos, known),
        ]
        if margin == _MARGINS[-1]:
            details += ["", f"`plates`, margin {margin}:", "", "```text", report(photos, alone), "```"]
    rows.append(_row("this and PP-OCR, formats of all (`voted`)", CONTEXT, in_context, both))
    details += ["", f"`voted`, margin {CONTEXT}:", "", "```text", report(in_context, both), "```"]
    return [*rows, *details]


def _row(title: str, margin: float, photos: list[Photo], readings: list[Reading]) -> str:
    dev, test = (shares(photos, readings, half=half) for half in ("dev", "test"))
    return f"| {title} | {margin} | {dev.exact:.3f} | {dev.equal:.3f} | {test.exact:.3f} | {test.equal:.3f} |"
