"""How many worker processes of each kind `sightline up` is told to have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sightline.errors import SettingsError
from sightline.local.kinds import Elastic, kinds_of, read_told
from sightline.settings import WorkerSettings

SETTINGS = WorkerSettings()  # pyright: ignore[reportCallIssue]
TWO = {"detect0": ["detect"], "detect1": ["detect"], "ocr-write0": ["ocr", "write"]}


def test_without_a_most_there_are_those_that_were_named() -> None:
    detect, rest = kinds_of(TWO, SETTINGS, None)
    assert (detect.names, detect.starts, detect.queues) == (["detect0", "detect1"], 2, ["gpu.detect"])
    assert (rest.names, rest.starts, rest.queues) == (["ocr-write0"], 1, ["cpu.ocr", "db.write"])


def test_with_one_each_kind_may_grow_to_it_from_what_was_named() -> None:
    detect, rest = kinds_of(TWO, SETTINGS, Elastic(1, 4, 0.5, 60))
    assert detect.names == ["detect0", "detect1", "detect2", "detect3"]
    assert (detect.starts, rest.starts) == (2, 1)
    assert (detect.limits.holds, rest.limits.holds, rest.limits.most) == (16, 8, 4)
    assert kinds_of(TWO, SETTINGS, Elastic(3, 4, 0.5, 60))[0].starts == 3


@pytest.mark.parametrize(
    ("elastic", "says"),
    [
        (Elastic(3, 2, 0.5, 60), "--worker-min: 3 given; it is at most --worker-max, which is 2"),
        (Elastic(1, 1, 0.5, 60), "--worker-max: 1 given, and --worker says 2 of 'detect'; give 2"),
    ],
)
def test_what_does_not_go_together_is_refused(elastic: Elastic, says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)):
        kinds_of(TWO, SETTINGS, elastic)


def test_nothing_is_told_where_no_autoscaler_runs(tmp_path: Path) -> None:
    assert read_told(tmp_path / "workers.json") == {}
    (tmp_path / "workers.json").write_text("{")
    assert read_told(tmp_path / "workers.json") == {}
