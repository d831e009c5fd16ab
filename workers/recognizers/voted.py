"""Our own recognizer first; where it is in doubt PP-OCR as well, on the lines of text that are in and around the box.

Both tell how likely each text is that either of them thinks of: the likeliest by both together is what is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from sightline.settings import ModelSettings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage
from workers.recognizers.ctc import CHARACTERS, Decoded, Probabilities, decode, log_likelihoods, side_by_side
from workers.recognizers.formats import Formats
from workers.recognizers.lines import LineReader, open_line_reader
from workers.recognizers.plates import MARGIN, PlateRecognizer, open_plate_recognizer, reading_of, surest
from workers.recognizers.rapid import open_rapid_recognizer
from workers.recognizers.recognizer import Recognizer

#: A reading whose least sure character is below this is in doubt. What this and the rest was chosen by is what
#: `training.plates.measuring.measure_second_opinion` prints.
DOUBT_BELOW: Final = 0.95
#: What is around a box in the crops, as a share of its height: a box may be too narrow, and a line of text is found
#: better with some room.
CONTEXT: Final = 0.5
#: How much PP-OCR's logarithm of a likelihood counts against ours.
_OTHER_COUNTS: Final = 1.0
#: How much how rare a text is by the formats counts, of all countries and of chosen ones.
_FORMATS_COUNT: Final = (0.1, 0.4)
#: So many last characters are not in the crop.
_LOST: Final = 0.02
#: No character is less likely than this at a step, however sure one of them is.
_LEAST_AT_STEP: Final = 1e-3
#: No text is less likely than this to PP-OCR, as a logarithm: it may have read another line.
_LEAST: Final = -12.0
#: Both are surer than they ought to be: what they say of a text is raised to this power.
_CALIBRATED: Final = 0.6
#: Logarithms of how frequent plates of a length are against those of 6 to 8, and of letters alone against those with
#: a digit: names and slogans are read as well, and parts of a plate.
_LENGTHS: Final = {3: -4.0, 4: -2.0, 5: -1.0, 6: 0.0, 7: 0.0, 8: 0.0, 9: -1.0, 10: -2.0}
_LETTERS_ALONE: Final = -4.0
#: PP-OCR reads lines also where there is no plate: how likely that is, as a logarithm.
_LINE_OF_SOMETHING: Final = -4.0
_MOST_TEXTS: Final = 12
_THOUGHT_OF: Final = 0.05  #: another character from this probability on is worth a text of its own


class VotedRecognizer:
    """Reads plates with two recognizers; the second sees only the crops that the first is in doubt about."""

    def __init__(self, own: PlateRecognizer, lines: LineReader, formats: Formats) -> None:
        self.model = LoadedModel(
            name=f"{own.model.name}+{lines.model.name}",
            sha256=own.model.sha256,
            runtime=own.model.runtime,
            input_size=own.model.input_size,
            calls_at_once=own.model.calls_at_once,
            context=CONTEXT,
        )
        self._own, self._lines, self._formats = own, lines, formats

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        views = self._own.look([_as_wanted(crop) for crop in crops])
        decoded = [surest(one) for one in views]
        doubtful = [index for index, one in enumerate(decoded) if one.least < DOUBT_BELOW]
        if doubtful:
            lines = self._lines.read([crops[index] for index in doubtful])
            for index, its_lines in zip(doubtful, lines, strict=True):
                decoded[index] = decide(views[index], its_lines, self._formats)
        return [reading_of(one, self._formats) for one in decoded]


def open_voted_recognizer(settings: ModelSettings, text: Recognizer | None = None) -> VotedRecognizer:
    """Load our own recognizer; in doubt it asks what reads all text, or PP-OCR where that is a stub.

    Raises:
        ModelError: weights or a library are missing.
        SettingsError: SIGHTLINE_PLATE_COUNTRIES names a country without formats.
    """
    own = open_plate_recognizer(settings)
    other = text if text is not None and settings.recognizer != "stub" else open_rapid_recognizer(settings)
    return VotedRecognizer(own, open_line_reader(settings, other), own.formats)


def _as_wanted(crop: BgrImage) -> BgrImage:
    """The crop as our recognizer wants it, rather a pixel more than less."""
    off = int((CONTEXT - MARGIN) / (1 + 2 * CONTEXT) * crop.shape[0])
    return crop[off : crop.shape[0] - off, off : crop.shape[1] - off] if min(crop.shape[:2]) > 4 * off else crop


def decide(views: Probabilities, lines: Sequence[Probabilities], formats: Formats) -> Decoded:
    """The likeliest text of a crop.

    Args:
        views: (views, steps, classes) of our recognizer.
        lines: (steps, classes) of each line that PP-OCR reads.
    """
    own = surest(views)
    texts = _thought_of([own, *map(decode, views)], [decode(line) for line in lines])
    if not texts:
        return own
    lost = np.array([_LOST] * len(views) + [0.0] * len(lines))
    together = side_by_side([*views, *lines])
    likely = log_likelihoods(together, ["", *texts], lost=lost, least=_LEAST_AT_STEP)
    score = likely[: len(views)].mean(axis=0)
    if lines:
        said = np.maximum(likely[len(views) :].max(axis=0), _LEAST)
        said[0] = _LINE_OF_SOMETHING
        score += _OTHER_COUNTS * said
    score += [0.0, *(_frequency(text, formats) for text in texts)]
    return _ranked(["", *texts], score)


def _frequency(text: str, formats: Formats) -> float:
    """How frequent plates like this are, as a logarithm, against any text of as many characters."""
    among_all = math.log(formats.rarity(text)) + len(text) * math.log(len(CHARACTERS))
    alone = 0.0 if any(char.isdigit() for char in text) else _LETTERS_ALONE
    return _FORMATS_COUNT[formats.are_chosen] * among_all + _LENGTHS[len(text)] + alone


def _thought_of(own: Sequence[Decoded], other: Sequence[Decoded]) -> list[str]:
    """The texts that may be a plate, as they were read and with one character as another was thought of."""
    read = [one for one in (*own, *other) if len(one.text) in _LENGTHS]
    found = dict.fromkeys(one.text for one in read)
    changes = sorted(_changed(read), reverse=True)
    for _, text in changes:
        if len(found) >= _MOST_TEXTS:
            break
        found[text] = None
    return list(found)


def _changed(read: Iterable[Decoded]) -> Iterable[tuple[float, str]]:
    """How likely the other character is, and the text with it."""
    for one in read:
        for place, each in enumerate(one.alternatives):
            for char, probability in each[1:2]:
                if probability >= _THOUGHT_OF:
                    yield probability, one.text[:place] + char + one.text[place + 1 :]


def _ranked(texts: Sequence[str], score: npt.NDArray[np.float64]) -> Decoded:
    """The text with the best score; its characters are as likely as all texts together that have them there."""
    likely = np.exp(_CALIBRATED * (score - score.max()))
    likely /= likely.sum()
    best = texts[int(score.argmax())]
    alternatives: list[tuple[tuple[str, float], ...]] = []
    for place, char in enumerate(best):
        sums = {char: 0.0}
        for text, p in zip(texts, likely.tolist(), strict=True):
            if len(text) == len(best):
                sums[text[place]] = min(1.0, sums.get(text[place], 0.0) + p)
        others = sorted(((other, p) for other, p in sums.items() if other != char), key=lambda one: -one[1])
        alternatives.append(((char, sums[char]), *others[:2]))
    return Decoded(best, tuple(one[0][1] for one in alternatives), tuple(alternatives))
