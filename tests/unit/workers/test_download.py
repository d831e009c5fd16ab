"""Downloads from a real server that cuts connections, changes the file or does not know ranges."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import workers.models.download
from tests.file_server import URL, FileServer, serving
from workers.models.download import download

DATA = bytes(range(256)) * 4000  # 1 MB


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.models.download, "_PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(DATA) as served:
        yield served


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "own.onnx"


def names(target: Path) -> list[str]:
    return sorted(file.name for file in target.parent.iterdir())


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "first use"])
def test_a_cut_download_goes_on_where_it_was(server: FileServer, target: Path, is_known: bool):
    server.cuts = [300_000, 200_000]
    shown: list[tuple[int, int]] = []
    actual = download(
        URL,
        target,
        sha256=server.sha256 if is_known else None,
        progress=lambda size, total: shown.append((size, total)),
        transport=server.transport,
    )
    assert (actual, target.read_bytes()) == (server.sha256, DATA)
    assert names(target) == ["own.onnx"]
    assert server.begins[0] == 0
    assert server.begins[1:] == sorted(set(server.begins[1:]))
    assert len(server.begins) == 3
    assert shown[-1] == (len(DATA), len(DATA))
    assert [size for size, _ in shown] == sorted(size for size, _ in shown)


def test_a_server_without_ranges_gives_it_all_again(server: FileServer, target: Path):
    server.cuts, server.has_ranges = [300_000], False
    download(URL, target, sha256=server.sha256, transport=server.transport)
    assert (target.read_bytes(), server.begins) == (DATA, [0, 0])


def test_a_file_that_changes_on_the_way_is_fetched_from_its_beginning(target: Path):
    with serving(DATA, cuts=[300_000]) as server:
        given: list[int] = []

        def change(size: int, _total: int) -> None:
            given.append(size)
            server.data = DATA[::-1]

        assert download(URL, target, progress=change, transport=server.transport) == server.sha256
    assert target.read_bytes() == DATA[::-1]
    assert server.begins == [0, 0]


def test_the_next_process_goes_on_with_what_the_last_one_left_if_the_sum_is_known(server: FileServer, target: Path):
    server.cuts = [300_000, 0, 0, 0, 0]
    with pytest.raises(OSError, match="RemoteProtocolError"):
        download(URL, target, sha256=server.sha256, transport=server.transport)
    assert names(target) == [".own.onnx.part"]
    download(URL, target, sha256=server.sha256, transport=server.transport)
    assert server.begins[-1] > 0
    assert (names(target), target.read_bytes()) == (["own.onnx"], DATA)


def test_what_is_left_of_another_file_is_noticed_by_its_sum_and_not_kept(server: FileServer, target: Path):
    target.parent.mkdir()
    part = target.with_name(".own.onnx.part")
    part.write_bytes(b"x" * 1000)
    with pytest.raises(OSError, match="expected sha256"):
        download(URL, target, sha256=server.sha256, transport=server.transport)
    assert names(target) == []
    part.write_bytes(b"x" * 2_000_000)  # longer than the file: the server refuses the range
    download(URL, target, sha256=server.sha256, transport=server.transport)
    assert target.read_bytes() == DATA


def test_without_a_known_sum_nothing_old_is_used(server: FileServer, target: Path):
    target.parent.mkdir()
    target.with_name(".own.onnx.part").write_bytes(b"x" * 1000)
    assert download(URL, target, transport=server.transport) == server.sha256
    assert server.begins == [0]


def test_a_connection_that_brings_nothing_again_and_again_is_given_up(server: FileServer, target: Path):
    server.cuts = [300_000] + [0] * 20
    with pytest.raises(OSError, match="RemoteProtocolError"):
        download(URL, target, transport=server.transport)
    assert names(target) == []
    assert len(server.begins) == 5


def test_nobody_there_is_said_at_once(server: FileServer, target: Path):
    server.cuts = [0] * 20
    with pytest.raises(OSError, match="RemoteProtocolError"):
        download(URL, target, sha256=server.sha256, transport=server.transport)
    assert (names(target), len(server.begins)) == ([], 1)


@pytest.mark.parametrize(("status", "message"), [(404, "404"), (503, "503")])
def test_a_refusal_leaves_nothing(server: FileServer, target: Path, status: int, message: str):
    server.status = status
    with pytest.raises(OSError, match=message):
        download(URL, target, sha256=server.sha256, transport=server.transport)
    assert names(target) == []


def test_a_file_that_is_too_large_is_refused_before_it_comes(server: FileServer, target: Path):
    shown: list[int] = []
    with pytest.raises(OSError, match=r"larger than 0\.5 MB"):
        download(URL, target, max_mb=0.5, progress=lambda size, _: shown.append(size), transport=server.transport)
    assert (names(target), shown) == ([], [])


def test_a_wrong_sum_leaves_nothing_and_names_both(server: FileServer, target: Path):
    wrong = hashlib.sha256(b"").hexdigest()
    with pytest.raises(OSError, match=f"expected sha256 {wrong}, got {server.sha256}"):
        download(URL, target, sha256=wrong, transport=server.transport)
    assert names(target) == []


def test_those_who_want_it_at_the_same_time_share_one_download(
    server: FileServer, target: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    entered, release = threading.Event(), threading.Event()

    def hold(_size: int, _total: int) -> None:
        entered.set()
        assert release.wait(10)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(download, URL, target, progress=hold, transport=server.transport)
        assert entered.wait(10)
        others = [pool.submit(download, URL, target, transport=server.transport) for _ in range(2)]
        until = time.monotonic() + 10
        while caplog.text.count("waiting for another process") < 2 and time.monotonic() < until:
            time.sleep(0.01)
        release.set()
        assert {each.result(10) for each in (first, *others)} == {server.sha256}
    assert (names(target), target.read_bytes(), server.begins) == (["own.onnx"], DATA, [0])
