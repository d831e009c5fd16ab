"""Drawn passages: the same seed draws the same, and the vote is counted against the best reading."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.accuracy.clips import Clip, draw_clip
from benchmarks.accuracy.metrics import wilson
from benchmarks.accuracy.passages import Watched, rows_of
from storage.plates.text import refusal
from tests.fonts import needs_fonts


@needs_fonts
def test_a_clip_is_a_passage_of_bad_pictures_and_its_seed_draws_it_again() -> None:
    clip = draw_clip(1, 3)
    assert 8 <= len(clip.frames) <= 15
    assert 12 <= clip.height_px <= 30
    assert refusal(clip.text) is None
    assert draw_clip(1, 3) == clip != draw_clip(2, 3)
    images = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in clip.frames]
    assert {image.shape for image in images if image is not None} == {(360, 640, 3)}
    assert len(set(clip.frames)) == len(clip.frames)
    assert (clip.is_covered, draw_clip(1, 2).is_covered) == (True, False)


def watched(height_px: float, best: str, voted: str, *readings: str, passages: int = 1) -> Watched:
    return Watched(Clip("AB10CD", height_px, (b"",) * 8), readings, best, voted, passages)


def test_the_vote_is_counted_against_the_best_reading() -> None:
    both = watched(14, "AB1OCD", "ABI0CD", "AB1OCD", "A810CD")  # O and 0, I and 1 are equal
    only_vote = watched(14, "A810CD", "AB10CD", "A810CD")
    only_best = watched(26, "AB10CD", "A810CD", passages=3)
    neither = watched(26, "", "", passages=0)
    rows = {row["part"]: row for row in rows_of("x", [both, only_vote, only_best, neither])}
    assert set(rows) == {"12-15 px", "25-30 px", "in sight", "all"}
    low, everything = rows["12-15 px"], rows["all"]
    assert (low["clips"], low["frames"], low["readings"]) == (2, 16, 3)
    assert low["reading_exact"] == wilson(1, 3)
    assert (low["misread"], low["lost"], low["gained"]) == (11.1, 0.0, 0.0), "two of 18"
    assert (low["best_exact"], low["voted_exact"]) == (wilson(1, 2), wilson(2, 2))
    assert (everything["only_vote"], everything["only_best"], everything["no_passage"]) == (1, 1, 1)
    assert everything["passages_a_clip"] == 1.25
