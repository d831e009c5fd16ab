"""Figures of a set of photos, as one table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.judge import Judged
from benchmarks.accuracy.metrics import Bin, Share, calibration_error, error_rate, reliability, wilson

_HALVES = ("dev", "test", "all")
_ALL = "all"


class Figures(NamedTuple):
    """Of one configuration on one set of photos. Rates and errors with 95 % intervals, times are medians."""

    config: str
    country: str
    half: str
    photos: int
    found_first: Share
    found: Share
    false_boxes: float  #: an image; they touch no plate
    partial_boxes: float
    known_boxes: float
    exact_raw: Share
    exact: Share
    among: Share
    submitted: Share | None  #: with the whole folder as one source
    error_rate: Share  #: characters
    calibration_error: float | None
    detect_ms: float | None
    recognize_crop_ms: float | None
    reasons: dict[str, int]  #: of the misses
    bins: list[Bin]


def figures(config: str, judged: Sequence[Judged]) -> Iterator[Figures]:
    """By country, then all together; each in both halves, then whole."""
    countries = sorted({one.photo.country for one in judged})
    for country in [*countries, *[_ALL] * (len(countries) > 1)]:
        for half in _HALVES:
            part = [
                one
                for one in judged
                if (country == _ALL or one.photo.country == country) and (half == "all" or one.photo.half == half)
            ]
            if part:
                yield _figures(config, country, half, part)


def _figures(config: str, country: str, half: str, part: Sequence[Judged]) -> Figures:
    count = len(part)
    shown = [one for one in part if one.plate]
    bins = reliability([one.confidence for one in shown], [one.exact for one in shown])
    lengths = [len(one.photo.corrected) for one in part]
    return Figures(
        config=config,
        country=country,
        half=half,
        photos=count,
        found_first=wilson(sum(one.found_first for one in part), count),
        found=wilson(sum(one.found for one in part), count),
        false_boxes=sum(one.false_boxes for one in part) / count,
        partial_boxes=sum(one.partial_boxes for one in part) / count,
        known_boxes=sum(one.known_boxes for one in part) / count,
        exact_raw=wilson(sum(one.exact_raw for one in part), count),
        exact=wilson(sum(one.exact for one in part), count),
        among=wilson(sum(one.among for one in part), count),
        submitted=_submitted(part),
        error_rate=error_rate([one.errors for one in part], lengths),
        calibration_error=calibration_error(bins),
        detect_ms=_median([one.detect_ms for one in part]),
        recognize_crop_ms=_median([one.recognize_crop_ms for one in part]),
        reasons=dict(Counter(one.reason for one in part if one.reason).most_common()),
        bins=bins,
    )


def _submitted(part: Sequence[Judged]) -> Share | None:
    found = [one.submitted for one in part if one.submitted is not None]
    return wilson(sum(found), len(found)) if found else None


def show(rows: Sequence[Figures], console: Console) -> None:
    """One table for all configurations; below, how far confidences can be trusted and where plates were lost."""
    table = Table(title="share of photos in % [95 % interval]", title_justify="left")
    for heading in ("config", "country", "half", "photos"):
        table.add_column(heading, no_wrap=True)
    for heading in ("plate found\nfirst box", "any box", "false boxes\nan image", "alone,\nraw label"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in (
        "as\nsubmitted",
        "alone,\ncorrected",
        "among\nreadings",
        "character\nerrors",
        "ECE",
        "detect\nms",
        "read\nms/crop",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for before, row in zip([None, *rows], rows, strict=False):
        if before and (before.config, before.country) != (row.config, row.country):
            table.add_section()
        table.add_row(row.config, row.country, row.half, str(row.photos), *_cells(row))
    console.print(table)
    console.print("false boxes: touching no plate + touching it, IoU < 0.5 + on real plates without a label")
    for row in rows:
        if row.half == "all" and (row.country == _ALL or not any(other.country == _ALL for other in rows)):
            console.print(f"{row.config}, {row.country}: {_sentence(row)}", soft_wrap=True)


def as_json(rows: Sequence[Figures], judged: Mapping[str, Sequence[Judged]]) -> dict[str, Any]:
    """All figures, and each photo's fate."""
    return {
        "figures": [plain(row._asdict() | {"bins": [each._asdict() for each in row.bins]}) for row in rows],
        "photos": [
            {
                "config": config,
                "country": one.photo.country,
                "file": one.photo.path.name,
                "half": one.photo.half,
                "label": one.photo.label,
                "corrected": one.photo.corrected,
                "plate": one.plate,
                "confidence": round(one.confidence, 4),
                "exact": one.exact,
                "submitted": one.submitted,
                "among": one.among,
                "best_iou": round(one.best_iou, 3),
                "reason": one.reason,
                "detail": one.detail,
            }
            for config, each in judged.items()
            for one in each
        ],
    }


def _cells(row: Figures) -> Iterator[str]:
    yield percent(row.found_first)
    yield percent(row.found)
    yield f"{row.false_boxes:.2f} + {row.partial_boxes:.2f} + {row.known_boxes:.2f}"
    yield percent(row.exact_raw)
    yield "-" if row.submitted is None else percent(row.submitted)
    yield percent(row.exact)
    yield percent(row.among)
    yield percent(row.error_rate)
    yield "-" if row.calibration_error is None else f"{row.calibration_error:.2f}"
    yield "-" if row.detect_ms is None else f"{row.detect_ms:.0f}"
    yield "-" if row.recognize_crop_ms is None else f"{row.recognize_crop_ms:.1f}"


def percent(share: Share) -> str:
    """`92.6 [82-97]`."""
    return f"{share.value * 100:.1f} [{share.low * 100:.0f}-{share.high * 100:.0f}]"


def _sentence(row: Figures) -> str:
    bins = "; ".join(
        f"{each.low:.1f}-{each.high:.1f}: {each.right:.0%} of {each.size} right at {each.confidence:.2f}"
        for each in row.bins
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in row.reasons.items())
    return f"misses: {reasons or 'none'}. Confidence {bins}"


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as JSON knows it."""
    return {name: value._asdict() if isinstance(value, Share) else value for name, value in row.items()}


def _median(times_ms: Sequence[float | None]) -> float | None:
    known = [time_ms for time_ms in times_ms if time_ms is not None]
    return median(known) if known else None
