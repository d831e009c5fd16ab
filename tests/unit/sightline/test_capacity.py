"""The simulated queues against what queueing theory and plain arithmetic say, and the search in them."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest

from sightline.capacity.cameras import Cameras
from sightline.capacity.costs import ModelTime, Price, RoleTimes, ServiceTimes, load_service_times, save_service_times
from sightline.capacity.load import Loaded
from sightline.capacity.measure import MANY, fit, read_contents
from sightline.capacity.search import Goal, answer, most_cameras
from sightline.capacity.simulation import Backlog, Plan, simulate
from sightline.errors import SettingsError, SourceError
from sightline.types import Pipeline
from tests.installing import forget_packages, write_package

FREE = Price(message_ms=0, frame_ms=0)
NOTHING = RoleTimes(message_ms=0, frame_ms=0)
ONE_EACH = {"detect": 1, "ocr": 1, "write": 1}
HELD = {"detect": 16, "ocr": 8, "write": 8}


def times(**given: object) -> ServiceTimes:
    roles = {"detect": NOTHING, "ocr": NOTHING, "write": NOTHING} | dict(given.pop("roles", {}))  # pyright: ignore
    defaults = {"cores": 64, "max_batch_size": 16, "concurrency": 8, "crops_per_frame": 0, "publish": FREE}
    return ServiceTimes(**(defaults | {"redis": FREE, "roles": roles} | given))  # pyright: ignore


def gpu(call_ms: float, image_ms: float = 0) -> RoleTimes:
    model = ModelTime(call_ms=call_ms, image_ms=image_ms, call_cpu_ms=0, image_cpu_ms=0)
    return RoleTimes(message_ms=0, frame_ms=0, model=model)


class Poisson:
    """Frames that know nothing of each other."""

    def __init__(self, frames_per_s: float, seconds: float, seed: int) -> None:
        chance = random.Random(seed)
        self.frames_per_s = frames_per_s
        count = int(frames_per_s * seconds * 1.2)
        self._times = list(accumulate(chance.expovariate(frames_per_s) for _ in range(count)))
        self._taken = 0

    def next_after(self, now_s: float) -> float:
        return self._times[bisect_right(self._times, now_s)]

    def take(self, now_s: float) -> int:
        before, self._taken = self._taken, bisect_right(self._times, now_s)
        return self._taken - before


@pytest.mark.parametrize("busy", [0.5, 0.8])
def test_one_server_waits_as_the_formula_of_m_d_1_says(busy: float) -> None:
    """Pollaczek and Khinchine: with constant service the mean wait is s * rho / (2 * (1 - rho))."""
    service_ms = 10.0
    plan = Plan(times(roles={"write": RoleTimes(message_ms=service_ms, frame_ms=0)}), ONE_EACH, cores=8, tick_ms=0)
    outcome = simulate(plan, Poisson(busy * 1000 / service_ms, 210, seed=7), seconds=200)
    expected_ms = service_ms + service_ms * busy / (2 * (1 - busy))
    assert outcome.mean_ms == pytest.approx(expected_ms, rel=0.1)
    assert outcome.utilization["write"] == pytest.approx(busy, rel=0.03)


def test_saturated_it_does_one_over_the_service_time() -> None:
    slow = times(roles={"write": RoleTimes(message_ms=20, frame_ms=0)})
    for workers in (1, 2, 4):
        outcome = simulate(Plan(slow, ONE_EACH | {"write": workers}, cores=8), Backlog(1, 64), seconds=20)
        assert outcome.frames_per_s == pytest.approx(workers * 50, rel=0.01)
        assert outcome.saturates_first == "write"
        assert outcome.utilization["write"] == pytest.approx(1, abs=0.01)


def test_a_model_takes_all_that_waits() -> None:
    """A call of 20 ms however many images: full batches of 16 are 800 images a second, single ones 50."""
    plan = Plan(times(roles={"detect": gpu(20)}), ONE_EACH, cores=8)
    assert simulate(plan, Backlog(4, 64)).frames_per_s == pytest.approx(800, rel=0.02)
    assert simulate(plan, Backlog(1, 1)).frames_per_s == pytest.approx(50, rel=0.02)
    alone = replace(plan, times=plan.times.model_copy(update={"max_batch_size": 1}))
    assert simulate(alone, Backlog(4, 64)).frames_per_s == pytest.approx(50, rel=0.02)


def test_cores_are_shared_by_all_roles() -> None:
    """30 ms of CPU time a frame in all: two cores do 66 frames a second, whatever workers there are."""
    costly = RoleTimes(message_ms=0, frame_ms=10)
    busy = times(roles=dict.fromkeys(ONE_EACH, costly), crops_per_frame=1)
    for workers in (2, 4):
        outcome = simulate(Plan(busy, dict.fromkeys(ONE_EACH, workers), cores=2), Backlog(1, 64))
        assert outcome.frames_per_s == pytest.approx(2000 / 30, rel=0.02)
        assert outcome.saturates_first == "cores"


def test_a_call_with_two_threads_takes_both_cores() -> None:
    model = ModelTime(call_ms=0, image_ms=10, call_cpu_ms=0, image_cpu_ms=20)
    role = RoleTimes(message_ms=0, frame_ms=0, model=model)
    for cores, frames_per_s in ((2, 100), (1, 50)):
        outcome = simulate(Plan(times(roles={"detect": role}), ONE_EACH, cores), Backlog(4, 32))
        assert outcome.frames_per_s == pytest.approx(frames_per_s, rel=0.03)


def test_only_frames_with_crops_reach_ocr() -> None:
    rare = times(roles={"ocr": RoleTimes(message_ms=10, frame_ms=0)}, crops_per_frame=0.25)
    outcome = simulate(Plan(rare, ONE_EACH, cores=8, tick_ms=0), Poisson(100, 110, seed=3), seconds=100)
    assert outcome.utilization["ocr"] == pytest.approx(0.25, rel=0.1)


def test_latency_is_the_sum_of_all_steps_when_nobody_else_waits() -> None:
    step = RoleTimes(message_ms=3, frame_ms=4)
    steps = times(roles=dict.fromkeys(ONE_EACH, step), publish=Price(message_ms=1, frame_ms=1), crops_per_frame=1)
    plan = Plan(steps.model_copy(update={"delay_ms": 5.0}), ONE_EACH, cores=4)
    outcome = simulate(plan, Cameras(1, fps=2, seed=1))
    assert (outcome.p50_ms, outcome.p95_ms) == pytest.approx((3 * 7 + 2 + 5,) * 2)


def test_cameras_are_gathered_once_a_tick() -> None:
    cameras = Cameras(50, fps=5, seed=2)
    taken = [cameras.take(tick / 10) for tick in range(1, 101)]
    assert sum(taken) == pytest.approx(50 * 5 * 10, abs=50)
    assert max(taken) <= 50
    assert Cameras(7, fps=5, seed=2).take(3.0) == 7  # of each the newest, however long nobody came
    (phase,) = [Cameras(1, fps=2, seed=2).next_after(0)]
    assert Cameras(1, fps=2, seed=2).next_after(phase) == pytest.approx(phase + 0.5)


def test_the_same_seed_gives_the_same_outcome() -> None:
    plan = Plan(times(roles={"write": RoleTimes(message_ms=5, frame_ms=2)}, crops_per_frame=0.5), ONE_EACH, cores=2)
    first, second, other = (simulate(plan, Cameras(20, 5, seed), seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_a_backlog_that_grows_is_hopeless() -> None:
    plan = Plan(times(roles={"write": RoleTimes(message_ms=0, frame_ms=50)}), ONE_EACH, cores=2)
    assert simulate(plan, Cameras(10, 5, seed=1), hopeless_ms=2000).p95_ms == float("inf")


def test_the_search_finds_what_arithmetic_says() -> None:
    """A frame costs 10 ms of one writer: 100 a second, 20 cameras at 5 fps, less what queueing takes."""
    plan = Plan(times(roles={"write": RoleTimes(message_ms=0, frame_ms=10)}), ONE_EACH, cores=8)
    found = answer(plan, Goal(fps=5, p95_ms=1000))
    assert 18 <= found.cameras <= 20
    assert found.outcome.saturates_first == "write"
    assert 13 <= found.one_more["write"] <= 20
    assert found.one_more["detect"] == found.one_more["ocr"] == 0
    assert most_cameras(plan, Goal(fps=5, p95_ms=100)) < found.cameras
    assert most_cameras(plan, Goal(fps=5, p95_ms=9)) == 0


def test_another_worker_gives_nothing_where_all_cores_are_busy() -> None:
    plan = Plan(times(roles={"write": RoleTimes(message_ms=0, frame_ms=10)}), ONE_EACH, cores=1)
    found = answer(plan, Goal(fps=5, p95_ms=1000))
    assert found.one_more == {"detect": 0, "ocr": 0, "write": 0}


def test_prices_are_found_again_in_what_was_measured() -> None:
    """CPU times made up from known prices; saturated everything took a quarter longer, but detect twice as long."""
    detect = ModelTime(call_ms=1, image_ms=10, call_cpu_ms=2, image_cpu_ms=20)
    ocr = ModelTime(call_ms=1, image_ms=2, call_cpu_ms=1, image_cpu_ms=2)
    models = {"crops_per_frame": 0.5, "detect": detect.model_dump(), "ocr": ocr.model_dump()}

    def cpu_ms(frames: int) -> dict[str, float]:
        return {
            "publish": 1 + 0.5 * frames,
            "redis": 2 + 0.25 * frames,
            "detect": 3 + 4 * frames + detect.cpu_ms(frames),
            "ocr": 5 + 6 * frames / 2 + ocr.cpu_ms(frames / 2),
            "write": 7 + frames,
        }

    busy = {name: ms / MANY * (2 if name == "detect" else 1.25) for name, ms in cpu_ms(MANY).items()}
    one, many = (Loaded(frames, 10, cpu_ms(frames), 1000) for frames in (1, MANY))
    found = fit(models, one, many, Loaded(800, 80, busy, 0, others_cores=0.5), max_batch_size=16, concurrency=HELD)
    assert (found.publish.message_ms, found.publish.frame_ms) == pytest.approx((1.25, 0.625))
    assert (found.redis.message_ms, found.redis.frame_ms) == pytest.approx((2.5, 0.3125))
    roles = {role: (price.message_ms, price.frame_ms) for role, price in found.roles.items()}
    assert roles["detect"] == pytest.approx((6, 8))
    assert roles["ocr"] == pytest.approx((6.25, 7.5))
    assert roles["write"] == pytest.approx((8.75, 1.25))
    model = found.roles["detect"].model
    assert model is not None
    assert (model.image_ms, model.image_cpu_ms) == pytest.approx((10, 40))  # the time alone stays what it was
    assert 900 < found.delay_ms < 1000
    assert (found.measured_frames_per_s, found.others_cores) == (80, 0.5)


def test_prices_are_never_below_zero() -> None:
    """Clocks of processes tick in hundredths of a second: a job of many may seem to cost less than one of one."""
    nothing = {"call_ms": 0.0, "image_ms": 0.0, "call_cpu_ms": 0.0, "image_cpu_ms": 0.0}
    models = {"crops_per_frame": 0.0, "detect": nothing, "ocr": nothing}
    names = ("publish", "redis", "detect", "ocr", "write")
    one, many = (Loaded(10, 10, dict.fromkeys(names, ms), 5) for ms in (3.0, 2.0))
    found = fit(models, one, many, Loaded(10, 10, dict.fromkeys(names, 0.0), 0), max_batch_size=16, concurrency=HELD)
    for price in (found.publish, found.redis, *found.roles.values()):
        assert price.message_ms > 0
        assert price.frame_ms == 0


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    given = times(roles={"detect": gpu(20, 1)}, measured_frames_per_s=12.5)
    save_service_times(tmp_path / "times.json", given)
    assert load_service_times(tmp_path / "times.json") == given


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"version": 1', '"version": 2'), "version: Input should be 1 (got 2)"),
        (('"cores": 64', '"cores": 0'), "cores: Input should be greater than or equal to 1 (got 0)"),
        (('"message_ms"', '"massage_ms"'), "publish.message_ms: Field required"),
        (('"ocr"', '"ocr2"'), "roles: 'ocr2' is unknown; known are detect, ocr, write"),
        (("{", ""), "the file: Invalid JSON"),
    ],
)
def test_a_file_that_was_not_saved_by_us_is_refused(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    save_service_times(path, times())
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(SettingsError) as refused:
        load_service_times(path)
    assert str(refused.value).startswith(f"--service-times {path}: {words}")
    assert "--save FILE" in str(refused.value)


def test_a_missing_file_and_a_missing_role_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none.json: No such file"):
        load_service_times(tmp_path / "none.json")
    path = tmp_path / "times.json"
    save_service_times(path, times().model_copy(update={"roles": {"detect": NOTHING, "ocr": NOTHING}}))
    with pytest.raises(SettingsError, match="roles: write missing"):
        load_service_times(path)
    with pytest.raises(SettingsError, match="--save"):
        save_service_times(tmp_path / "no" / "times.json", times())


_FORKED = """
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import ItemResult, Pipeline

STAGES = (
    StageSpec("letters", "cpu.letters", "forked.letters"),
    StageSpec("words", "cpu.words", "forked.words", after=()),
    StageSpec("report", "cpu.report", "forked.report", after=("letters", "words")),
)
SPEC = PipelineSpec(Pipeline("forked"), accepts=("text",), result=ItemResult, stages=STAGES)
"""


@pytest.fixture
def forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pipeline of another package: `letters` and `words` side by side, then `report`."""
    write_package(tmp_path, "forked", _FORKED, pipelines="forked = forked:SPEC")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_packages()
    yield
    forget_packages()


@pytest.mark.usefixtures("forked")
def test_branches_of_a_fork_are_worked_on_side_by_side_and_a_join_waits_for_all(tmp_path: Path) -> None:
    roles = {"letters": 30, "words": 50, "report": 7, "write": 3}
    forked = times(pipeline="forked").model_copy(
        update={"roles": {role: RoleTimes(message_ms=ms, frame_ms=0) for role, ms in roles.items()}}
    )
    plan = Plan(forked, dict.fromkeys(roles, 1), cores=8)
    outcome = simulate(plan, Cameras(1, fps=2, seed=1))
    assert outcome.p50_ms == pytest.approx(50 + 7 + 3)
    assert answer(plan, Goal(fps=5, p95_ms=1000)).outcome.saturates_first == "words"
    save_service_times(tmp_path / "times.json", forked)
    assert load_service_times(tmp_path / "times.json") == forked


@pytest.mark.usefixtures("forked")
def test_what_no_model_times_were_taken_of_is_priced_by_its_cpu_time() -> None:
    names = ("publish", "redis", "letters", "words", "report", "write")
    one, many = (Loaded(10, 10, dict.fromkeys(names, 2.0 + frames), 5) for frames in (1, MANY))
    full = Loaded(10, 10, dict.fromkeys(names, (2.0 + MANY) / MANY), 0)
    found = fit({}, one, many, full, 16, dict.fromkeys(names[2:], 5), Pipeline("forked"))
    assert set(found.roles) == set(names[2:])
    for role in found.roles.values():
        assert (role.message_ms, role.frame_ms) == pytest.approx((2, 1))
        assert (role.model, role.concurrency) == (None, 5)


def test_a_file_of_a_pipeline_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    save_service_times(tmp_path / "times.json", times(pipeline="forked"))
    with pytest.raises(SettingsError, match="pipeline: 'forked' is not one of objects, text, plates"):
        load_service_times(tmp_path / "times.json")


def test_a_folder_without_anything_for_the_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("one")
    with pytest.raises(SourceError, match=r"nothing in it that plates takes; .* \.jpg"):
        read_contents(tmp_path, Pipeline.PLATES)
