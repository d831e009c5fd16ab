import time

from sightline.ids import content_id, made_at, new_id


def test_a_new_id_tells_when_it_was_made() -> None:
    before = time.time() - 0.001
    made = made_at(new_id())
    assert made is not None
    assert before <= made <= time.time()


def test_ids_of_others_tell_nothing_or_nonsense() -> None:
    assert made_at("job-0001") is None
    assert made_at("not hexadecimal, thirty-two long") is None
    made = made_at(content_id("a job"))
    assert made is not None
    assert made > time.time() + 1e6
