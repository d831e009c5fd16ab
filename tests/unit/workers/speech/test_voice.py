"""Where somebody speaks: pauses, noise and silence are none of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sightline.pipelines.speech import TranscribeOptions
from tests.voices import RATE, STORY, Samples, noise, say, silence
from workers.speech.engine import Stretch
from workers.speech.voice import find_speech


def find(sound: Samples, longest_s: float = 15.0, pause_s: float = 0.5) -> list[Stretch]:
    return find_speech(sound, TranscribeOptions(), longest_s=longest_s, pause_s=pause_s)


def test_silence_and_noise_are_no_speech() -> None:
    assert find(silence(5)) == []
    assert find(noise(5)) == []
    assert find(silence(0)) == []


def test_a_sentence_each_with_its_place() -> None:
    one, other = say(STORY[1]), say(STORY[2])
    stretches = find(np.concatenate([silence(2), one, silence(1.5), other, silence(1)]))
    assert len(stretches) == 2
    first, second = stretches
    assert abs(first.start_s - 2) < 0.5
    assert abs(first.end_s - (2 + len(one) / RATE)) < 0.5
    assert abs(second.start_s - (3.5 + len(one) / RATE)) < 0.5


def test_stretches_follow_each_other_without_overlap_and_none_is_too_long() -> None:
    spoken = np.concatenate([say(sentence) for sentence in STORY])
    stretches = find(spoken, longest_s=5.0)
    assert len(stretches) > 3
    assert max(one.duration_s for one in stretches) <= 5.0
    for one, following in pairwise(stretches):
        assert one.end_s <= following.start_s + 1e-9
    # All that is said is in one of them.
    covered = sum(len(one.samples) for one in stretches)
    assert covered / len(spoken) > 0.85
