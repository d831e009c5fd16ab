"""Whether figures are what they were, in words that tell what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.guard.figures import Figure

#: A figure may be so many times what is known. A twentieth below the quarter that must not get through, for the spread.
MARGIN = 1.2


def lost(figures: Sequence[Figure], found: Mapping[str, float], known: Mapping[str, float]) -> list[Figure]:
    """Those that are too high, or not known."""
    return [figure for figure in figures if found[figure.name] > known.get(figure.name, 0.0) * MARGIN]


def verdict(figure: Figure, now: float, then: float | None) -> str:
    """One figure and what it may be; what to do where it is more."""
    line = f"guard: {figure.name:<14} {now:8g}"
    if then is None:
        return f"{line}  UNKNOWN: run `make guard ARGS=--write`"
    limit = round(then * MARGIN, 2)
    if now <= limit:
        return f"{line}  (was {then:g}, may be {limit:g}): {figure.what}"
    return (
        f"{line}  TOO MUCH: {figure.what} was {then:g}, is {now:g}, may be {limit:g}.\n"
        f"  Look at {figure.where}: what does it do now that it did not do before? "
        f"`git stash` and `make guard` tell whether it is your change.\n"
        f"  Where the loss is worth it: `make guard ARGS=--write`, and say why in the commit of guard.json."
    )
