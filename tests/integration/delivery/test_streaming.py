"""What a streaming stage says, and who listens: over Redis, over HTTP, and again after a break."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sightline import AsyncSightline, JobStatus, Sightline, WaitTimeoutError
from sightline.celery.app import create_app
from sightline.delivery.delta_stream import MAX_DELTAS, AsyncDeltaStream, Delta, DeltaStream, StreamEvent
from sightline.delivery.result_board import ResultBoard
from sightline.errors import StoreUnavailableError
from sightline.ids import new_id
from sightline.pipelines import StageSpec
from sightline.redis.connection import connect, connect_async
from sightline.retry import Patience
from sightline.settings import Settings
from sightline.types import FrameRef, JobResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from tests.installing import write_package
from tests.integration.stages.running import FakeStage
from workers.stages.context import Context, JobContext
from workers.stages.runner import run_message
from workers.stages.services import Services, open_services
from workers.stages.step import Step

TELL = """
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import FrameResult, Pipeline
TELL = PipelineSpec(
    Pipeline("tell"), ("image",), FrameResult, (StageSpec("tell", "cpu.tell", "nowhere", streams=True),)
)
"""


@pytest.fixture
def stream(redis_url: str) -> DeltaStream:
    return DeltaStream(connect(redis_url), ttl_s=60)


@pytest.fixture
def board(redis_url: str) -> ResultBoard:
    return ResultBoard(connect(redis_url), result_ttl_s=60)


def result_of(job_id: str) -> JobResult:
    return JobResult(
        job_id=job_id, pipeline=Pipeline("tell"), status=JobStatus.STORED, frames=(), finished_at=datetime.now(UTC)
    )


def heard(events: Iterator[StreamEvent]) -> list[object]:
    return [event.data if event.event == "delta" else event.event for event in events]


def say(stream: DeltaStream, job_id: str, *pieces: object, attempt: str | None = None) -> str:
    attempt = attempt or new_id()
    for number, piece in enumerate((None, *pieces)):
        stream.add(Delta(job_id, "tell", attempt, number, piece))
    return attempt


def test_pieces_come_in_order_and_the_result_ends_them(stream: DeltaStream, board: ResultBoard) -> None:
    job_id = new_id()
    say(stream, job_id, "one", {"two": 2}, ["three"])
    board.post(result_of(job_id))
    events = list(stream.listen(job_id, silent_s=5))
    assert [event.data for event in events[:-1]] == ["one", {"two": 2}, ["three"]]
    assert events[-1].result == result_of(job_id).model_copy(update={"finished_at": events[-1].result.finished_at})  # pyright: ignore


def test_who_comes_back_hears_the_rest(stream: DeltaStream, board: ResultBoard) -> None:
    job_id = new_id()
    attempt = say(stream, job_id, "one", "two")
    first = next(iter(stream.listen(job_id, silent_s=5)))
    stream.add(Delta(job_id, "tell", attempt, 3, "three"))
    board.post(result_of(job_id))
    assert heard(stream.listen(job_id, first.id, silent_s=5)) == ["two", "three", "result"]


@pytest.mark.parametrize("comes_back", [False, True])
def test_an_attempt_that_starts_over_says_so_and_the_old_one_is_not_heard_any_more(
    stream: DeltaStream, board: ResultBoard, comes_back: bool
) -> None:
    job_id = new_id()
    old = say(stream, job_id, "on", "e")
    last_id = [event.id for event in stream.listen(job_id, silent_s=0.1)][-1] if comes_back else "0"
    say(stream, job_id, "one")
    stream.add(Delta(job_id, "tell", old, 3, "late: its worker was thought dead"))
    board.post(result_of(job_id))
    expected = ["restart", "one", "result"] if comes_back else ["on", "e", "restart", "one", "result"]
    assert heard(stream.listen(job_id, last_id, silent_s=5)) == expected


def test_a_beginning_said_twice_is_no_new_attempt(stream: DeltaStream, board: ResultBoard) -> None:
    job_id, attempt = new_id(), new_id()
    for _ in range(2):
        stream.add(Delta(job_id, "tell", attempt, 0), Delta(job_id, "tell", attempt, 1, "one"))
    board.post(result_of(job_id))
    assert heard(stream.listen(job_id, silent_s=5)) == ["one", "result"]


async def test_many_listen_with_few_reads(redis_url: str, stream: DeltaStream, board: ResultBoard) -> None:
    """Also where two hear the same job, one of them from the middle on, and one has enough before the end."""
    job_ids = [new_id() for _ in range(20)]

    async def listen(deltas: AsyncDeltaStream, job_id: str, last_id: str = "0", most: int = 9) -> list[object]:
        events: list[StreamEvent] = []
        async for event in deltas.listen(job_id, last_id, silent_s=5):
            events.append(event)
            if len(events) == most:
                break
        return heard(iter(events))

    def reads() -> int:
        return stream._redis.info("commandstats")["cmdstat_xread"]["calls"]  # pyright: ignore

    async with connect_async(redis_url) as client:
        deltas = AsyncDeltaStream(client)
        for job_id in job_ids:
            say(stream, job_id, "one", "two")
        (first, *_) = stream.listen(job_ids[0], silent_s=0.1)
        listeners = [asyncio.create_task(listen(deltas, job_id)) for job_id in job_ids]
        again = asyncio.create_task(listen(deltas, job_ids[0], first.id))
        assert await listen(deltas, job_ids[1], most=1) == ["one"]
        before = reads()
        for job_id in job_ids:
            board.post(result_of(job_id))
        assert await asyncio.gather(*listeners) == [["one", "two", "result"]] * len(job_ids)
        assert await again == ["two", "result"]
        assert reads() - before < len(job_ids)


def test_a_piece_said_twice_is_heard_once(stream: DeltaStream, board: ResultBoard) -> None:
    job_id = new_id()
    attempt = say(stream, job_id, "one")
    for _ in range(2):  # the answer of Redis was lost, and it was said again
        stream.add(Delta(job_id, "tell", attempt, 2, "two"))
    board.post(result_of(job_id))
    assert heard(stream.listen(job_id, silent_s=5)) == ["one", "two", "result"]


def test_it_is_bounded_and_who_missed_something_is_told(stream: DeltaStream) -> None:
    job_id = new_id()
    attempt = say(stream, job_id)
    pipe = stream._redis.pipeline()
    for number in range(1, MAX_DELTAS + 500):
        entry: dict[object, object] = {"stage": "tell", "attempt": attempt, "number": number, "data": "0"}
        pipe.xadd(f"sightline:deltas:{job_id}", entry, maxlen=MAX_DELTAS, approximate=True)  # pyright: ignore
    pipe.execute()
    kept = stream._redis.xlen(f"sightline:deltas:{job_id}")
    assert MAX_DELTAS <= kept < MAX_DELTAS + 200
    events = stream.listen(job_id, silent_s=0.2)
    assert [event.event for event, _ in zip(events, range(2), strict=False)] == ["gap", "delta"]


def test_it_goes_by_itself(stream: DeltaStream) -> None:
    job_id = new_id()
    say(stream, job_id, "one")
    assert 0 < int(stream._redis.ttl(f"sightline:deltas:{job_id}")) <= 60  # pyright: ignore


@pytest.fixture
def services(settings: Settings, packages: Path) -> Services:
    write_package(packages, "our_tales", TELL, pipelines="tell = our_tales:TELL")
    return open_services(create_app(settings), settings, "test@here", Patience())


class Tells(FakeStage):
    """Says what a test says, and stops there."""

    task = "sightline.tell"

    def __init__(self, *tries: object) -> None:
        super().__init__(lambda _: None)
        self._tries = list(tries)

    def work(self, step: Step) -> None:
        pieces = self._tries.pop(0)
        assert isinstance(pieces, list)
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            step.context.emit(piece)


def tell(services: Services, stage: FakeStage) -> str:
    frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
    job = Job(job_id=new_id(), pipeline=Pipeline("tell"), lane=Lane.BULK, frames=(frame,))
    run_message({stage.task: stage}, stage.task, services, Message(job=job).dump(), redelivered=False)
    return job.job_id


def test_a_stage_that_is_tried_again_starts_over(services: Services) -> None:
    job_id = tell(services, Tells(["on", StoreUnavailableError("down")], ["one", "two"]))
    services.board.post(result_of(job_id))
    assert heard(services.deltas.listen(job_id, silent_s=5)) == ["on", "restart", "one", "two", "result"]


def test_a_stage_that_does_not_say_that_it_streams_may_not(services: Services) -> None:
    frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
    job = Job(job_id=new_id(), pipeline=Pipeline("tell"), frames=(frame,))
    context = JobContext(job, services.holds.open("x"), StageSpec("tell", "cpu.tell", "x"), services)
    with pytest.raises(RuntimeError, match="stage 'tell': emit: its StageSpec does not say streams=True"):
        context.emit("one")
    Context().emit("one")  # of nobody's job nobody hears


def test_a_stage_that_streams_hears_of_a_cancellation(services: Services) -> None:
    class Endless(FakeStage):
        task = "sightline.tell"

        def work(self, step: Step) -> None:
            for number in range(100):
                step.context.emit(number)
                if number == 2:
                    services.delivery.ledger.cancel(step.message.job.job_id)
                    services.cancellations.look()

    job_id = tell(services, Endless(lambda _: None))
    assert heard(services.deltas.listen(job_id, silent_s=0.1)) == [0, 1, 2]


def test_the_client_listens(services: Services, settings: Settings) -> None:
    job_id = tell(services, Tells(["one", "two"]))
    with Sightline(settings) as client:
        with pytest.raises(WaitTimeoutError):
            list(client.stream(job_id, silent_s=0.1))
        services.board.post(result_of(job_id))
        assert heard(client.stream(job_id)) == ["one", "two", "result"]


async def test_the_async_client_listens(services: Services, settings: Settings) -> None:
    job_id = tell(services, Tells(["one", "two"]))
    services.board.post(result_of(job_id))
    async with AsyncSightline(settings) as client:
        events = [event async for event in client.stream(job_id)]
    assert heard(iter(events)) == ["one", "two", "result"]


def test_over_http_a_browser_goes_on_where_it_was(services: Services, api_url: str, operator_key: str) -> None:
    job_id = tell(services, Tells(["one", "two", "three"]))
    headers = {"X-API-Key": operator_key}
    url = f"{api_url}/v1/jobs/{job_id}/events"
    with httpx.stream("GET", url, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines: list[str] = []
        for line in answer.iter_lines():  # while the job is worked on: nothing waits for its end
            lines.append(line)
            if "two" in line:
                break
    last_id = [line for line in lines if line.startswith("id: ")][-1].removeprefix("id: ")
    services.board.post(result_of(job_id))
    again = httpx.get(url, headers=headers | {"Last-Event-ID": last_id}).text
    kinds = [line for line in again.splitlines() if line.startswith("event: ")]
    assert kinds == ["event: delta", "event: result"]
    assert '"data":"three"' in again
    assert httpx.get(f"{api_url}/v1/jobs/no-such-job-here/events", headers=headers).status_code == 404
    assert httpx.get(url, headers=headers | {"Last-Event-ID": "nonsense"}).status_code == 422


async def test_the_client_listens_over_http_too(services: Services, api_url: str, operator_key: str) -> None:
    job_id = tell(services, Tells(["one", "two"]))
    services.board.post(result_of(job_id))
    with Sightline(url=api_url, api_key=operator_key) as client:
        assert heard(client.stream(job_id)) == ["one", "two", "result"]
    async with AsyncSightline(url=api_url, api_key=operator_key) as client:
        assert heard(iter([event async for event in client.stream(job_id)])) == ["one", "two", "result"]
