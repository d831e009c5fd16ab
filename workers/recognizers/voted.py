"""Our own recognizer first; PP-OCR as well where it is in doubt, and a vote where the two disagree."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.settings import ModelSettings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage
from workers.recognizers.formats import Formats
from workers.recognizers.plates import Decoded, PlateRecognizer, open_plate_recognizer, reading_of
from workers.recognizers.rapid import open_rapid_recognizer
from workers.recognizers.recognizer import Recognizer

#: A reading whose least certain character is below this is in doubt. The card of the weights has what it was chosen by.
_DOUBT_BELOW = 0.6
#: Where the two texts differ in length, PP-OCR's confidence counts this much: it also reads names and slogans.
_OTHER_IS_WORTH = 0.95
_PLATE_LENGTHS = range(4, 9)


class VotedRecognizer:
    """Reads plates with two recognizers; the second sees only the crops that the first is in doubt about."""

    def __init__(self, own: PlateRecognizer, other: Recognizer, formats: Formats) -> None:
        self.model = LoadedModel(
            name=f"{own.model.name}+{other.model.name}",
            sha256=own.model.sha256,
            runtime=own.model.runtime,
            input_size=own.model.input_size,
            calls_at_once=own.model.calls_at_once,
        )
        self._own, self._other, self._formats = own, other, formats

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        decoded = self._own.decode(crops)
        doubtful = [index for index, one in enumerate(decoded) if min(one.confidences, default=0) < _DOUBT_BELOW]
        others = self._other.recognize([crops[index] for index in doubtful])
        for index, other in zip(doubtful, others, strict=True):
            decoded[index] = vote(decoded[index], other)
        return [reading_of(one, self._formats) for one in decoded]


def open_voted_recognizer(settings: ModelSettings, text: Recognizer | None = None) -> VotedRecognizer:
    """Load our own recognizer; in doubt it asks what reads all text, or PP-OCR where that is a stub.

    Raises:
        ModelError: weights or a library are missing.
        SettingsError: SIGHTLINE_PLATE_COUNTRIES names a country without formats.
    """
    own = open_plate_recognizer(settings)
    other = text if text is not None and settings.recognizer != "stub" else open_rapid_recognizer(settings)
    return VotedRecognizer(own, other, own.formats)


def vote(own: Decoded, other: Reading) -> Decoded:
    """One text of two: of equal length, for each character the larger sum of probabilities; else the likelier text."""
    text, confidences = _plain(other)
    if not text:
        return own
    theirs = Decoded(text, confidences, tuple(((char, sure),) for char, sure in zip(text, confidences, strict=True)))
    if len(text) != len(own.text):
        fits = len(text) in _PLATE_LENGTHS and any(char.isdigit() for char in text)
        return theirs if fits and _mean(confidences) * _OTHER_IS_WORTH > _mean(own.confidences) else own
    ranked = tuple(_add(mine, char, sure) for mine, char, sure in zip(own.alternatives, text, confidences, strict=True))
    return Decoded("".join(one[0][0] for one in ranked), tuple(one[0][1] for one in ranked), ranked)


def _add(alternatives: Sequence[tuple[str, float]], char: str, confidence: float) -> tuple[tuple[str, float], ...]:
    sums = dict(alternatives)
    sums[char] = sums.get(char, 0.0) + confidence
    return tuple(sorted(((char, total / 2) for char, total in sums.items()), key=lambda one: -one[1]))


def _plain(reading: Reading) -> tuple[str, tuple[float, ...]]:
    """A-Z and 0-9 of a reading, with their confidences."""
    each = reading.char_confidences or (reading.confidence,) * len(reading.text)
    kept = [
        (char, sure)
        for char, sure in zip(reading.text.upper(), each, strict=False)
        if char.isascii() and char.isalnum()
    ]
    return "".join(char for char, _ in kept), tuple(sure for _, sure in kept)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
