"""Words with times, shared out among the segments they were said in."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.pipelines.speech import Segment, Word


def with_words(segments: Sequence[Segment], words: Sequence[Word]) -> tuple[Segment, ...]:
    """Each word goes to the first segment that ends after its middle; the last one takes the rest."""
    shared: list[Segment] = []
    left = list(words)
    for segment in segments:
        is_last = segment is segments[-1]
        mine = [word for word in left if is_last or (word.start_s + word.end_s) / 2 < segment.end_s]
        left = left[len(mine) :]
        shared.append(segment.model_copy(update={"words": tuple(mine)}))
    return tuple(shared)
