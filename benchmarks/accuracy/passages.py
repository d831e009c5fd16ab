"""Drawn clips through all stages: does the vote of a passage beat its best reading?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.clips import FPS, Clip, draw_clip
from benchmarks.accuracy.metrics import Share, wilson
from benchmarks.accuracy.report import percent
from benchmarks.accuracy.run import Config
from sightline.submission.jobs import NewFrame, make_job
from sightline.types import Lane, Pipeline
from storage.plates.text import plate_chars, read_plate
from storage.results.queries import list_passages
from workers.tools.local import LocalSystem

_START = datetime(2026, 1, 1, tzinfo=UTC)
#: Plate heights in pixels, in the middle of the passage.
_BANDS = ((12, 16), (16, 20), (20, 25), (25, 31))
#: Drawn letters differ from style to style: in most, these are the same strokes.
_ALIKE = str.maketrans("OI", "01")


@dataclass(frozen=True)
class Watched:
    """One clip. `best` is its surest plate-like reading, `voted` the text of its passage with most readings."""

    clip: Clip
    readings: tuple[str, ...]  #: of all frames, those that look like plates
    best: str
    voted: str
    passages: int

    def exact(self, plate: str) -> bool:
        return plate.translate(_ALIKE) == self.clip.text.translate(_ALIKE)


def watch_all(config: Config, *, clips: int, seed: int, advance: Callable[[], None]) -> list[Watched]:
    """Draw the clips and send each through the stages and into a database of this run.

    Raises:
        ModelError, SettingsError: the configuration is not to be had on this machine.
    """
    watched: list[Watched] = []
    with LocalSystem(config.settings()) as system:
        for number in range(clips):
            clip, source_id = draw_clip(seed, number), f"clip-{number}"
            readings = _watch(clip, source_id, system, config)
            passages = list_passages(system.database, source=source_id).items
            most = max(passages, key=lambda each: (each.reading_count, each.confidence), default=None)
            best = max(readings, key=lambda each: each[1], default=("", 0.0))
            texts = tuple(text for text, _ in readings)
            watched.append(Watched(clip, texts, best[0], most.text if most else "", len(passages)))
            advance()
    return watched


def _watch(clip: Clip, source_id: str, system: LocalSystem, config: Config) -> list[tuple[str, float]]:
    """Returns the plate-like readings with their confidences."""
    frames = [
        NewFrame(
            data, _START + timedelta(seconds=step / FPS), position_s=step / FPS, sequence="clip", time_from="video"
        )
        for step, data in enumerate(clip.frames)
    ]
    job, pixels = make_job(frames, config.settings(), pipeline=Pipeline.PLATES, lane=Lane.BULK, source_id=source_id)
    return [
        (plate_chars(reading.text), reading.confidence)
        for result in system.process(job, pixels)
        for reading in result.readings
        if read_plate(reading.text, reading.confidence, label="plate")
    ]


def rows_of(config: str, watched: Sequence[Watched]) -> Iterator[dict[str, object]]:
    """By height of the plate, by what is before it, then all together."""
    for name, part in _parts(watched):
        if not part:
            continue
        count = len(part)
        best, voted = [one.exact(one.best) for one in part], [one.exact(one.voted) for one in part]
        readings = [one.exact(text) for one in part for text in one.readings]
        yield {
            "config": config,
            "part": name,
            "clips": count,
            "frames": sum(len(one.clip.frames) for one in part),
            "readings": len(readings),
            **_errors(part),
            "reading_exact": wilson(sum(readings), len(readings)),
            "best_exact": wilson(sum(best), count),
            "voted_exact": wilson(sum(voted), count),
            "any_exact": wilson(sum(any(map(one.exact, one.readings)) for one in part), count),
            "only_vote": sum(v and not b for b, v in zip(best, voted, strict=True)),
            "only_best": sum(b and not v for b, v in zip(best, voted, strict=True)),
            "no_passage": sum(not one.passages for one in part),
            "passages_a_clip": sum(one.passages for one in part) / count,
        }


def _errors(watched: Sequence[Watched]) -> dict[str, float]:
    """What readers do to a character, in %; readings that are half wrong or more are left out."""
    done, chars = Counter({"replace": 0, "delete": 0, "insert": 0}), 0
    for one in watched:
        plate = one.clip.text.translate(_ALIKE)
        for text in one.readings:
            edits = [edit.tag for edit in Levenshtein.editops(plate, text.translate(_ALIKE))]
            if 2 * len(edits) < len(plate):
                chars += len(plate)
                done.update(edits)
    named = {"misread": done["replace"], "lost": done["delete"], "gained": done["insert"]}
    return {name: round(100 * count / max(1, chars), 1) for name, count in named.items()}


def _parts(watched: Sequence[Watched]) -> Iterator[tuple[str, list[Watched]]]:
    for low, high in _BANDS:
        yield f"{low}-{high - 1} px", [one for one in watched if low <= one.clip.height_px < high]
    yield "in sight", [one for one in watched if not one.clip.is_covered]
    yield "covered", [one for one in watched if one.clip.is_covered]
    yield "all", list(watched)


def show(rows: Sequence[dict[str, object]], console: Console) -> None:
    table = Table(title="drawn passages: exact in % [95 % interval]", title_justify="left")
    headings = {
        "config": "config",
        "part": "plates",
        "clips": "clips",
        "frames": "frames",
        "readings": "readings",
        "misread": "chars\nmisread",
        "lost": "lost",
        "gained": "gained",
        "reading_exact": "one\nreading",
        "best_exact": "best\nreading",
        "voted_exact": "vote of\nthe passage",
        "any_exact": "any\nreading",
        "only_vote": "only the\nvote right",
        "only_best": "only the\nbest right",
        "no_passage": "no\npassage",
        "passages_a_clip": "passages\na clip",
    }
    for heading in headings.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for before, row in zip([None, *rows], rows, strict=False):
        if before and before["config"] != row["config"]:
            table.add_section()
        table.add_row(*(_cell(row[name]) for name in headings))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, Share):
        return percent(value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)
