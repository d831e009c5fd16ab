"""One suite over every frame store."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sightline.blobs.folder import FolderFrameStore
from sightline.blobs.names import frames_name, parts_name, payload_name
from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.errors import BadMessageError, SettingsError, StoreUnavailableError
from sightline.pipelines.crops import crop_key
from sightline.wire.parts import part_key, shard_key


@pytest.fixture(params=["redis", "folder", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FrameStore:
    if request.param == "redis":
        return open_frame_store(request.getfixturevalue("redis_url"), ttl_s=60)
    if request.param == "folder":
        return open_frame_store(tmp_path.as_uri(), ttl_s=60)
    return open_frame_store(f"memory://frames-{time.time_ns()}", ttl_s=60)


def test_what_is_put_can_be_had_until_it_is_freed(store: FrameStore) -> None:
    store.put_many({"frame-1": b"one", crop_key("frame-1", 0): b"crop"})
    store.put_many({"frame-1": b"newer"})
    assert store.get_many(["frame-1", "missing", "frame-1.c0"]) == [b"newer", None, b"crop"]
    store.delete_many(["frame-1", "missing"])
    assert store.get_many(["frame-1", "frame-1.c0"]) == [None, b"crop"]
    assert store.get_many([]) == []


def test_a_bundle_is_put_had_and_freed_together(store: FrameStore) -> None:
    name, keys = frames_name("job-00001"), ["frame-1", "frame-2", "frame-3", "missing"]
    store.put_bundle(name, {"frame-1": b"one", "frame-2": b""})
    store.put_bundle(name, {"frame-1": b"newer"})
    store.put_many({"frame-3": b"by itself"})  # as whoever publishes without us does it
    assert store.get_bundle(name, keys) == [b"newer", b"", b"by itself", None]
    assert store.get_bundle(name, ["frame-2"]) == [b""]
    assert store.get_bundle(frames_name("job-00002"), ["frame-3", "missing"]) == [b"by itself", None]
    assert store.get_bundle(name, []) == []
    store.delete_bundles({name: keys, payload_name("job-00001", "crops"): []})
    assert store.get_bundle(name, ["frame-1", "frame-2"]) == [None, None]
    store.delete_bundles({frames_name("job-00002"): ["frame-3"]})
    assert store.get_many(["frame-3"]) == [None]


def test_what_branches_and_shards_put_down_is_freed_with_its_job(store: FrameStore) -> None:
    keys = [part_key("job-00001", "find"), part_key("job-00001", "spell", 0), shard_key("job-00001", "spell", 0)]
    store.put_many(dict.fromkeys(keys, b"found"))
    store.delete_bundles({parts_name("job-00001"): keys})
    assert store.get_many(keys) == [None, None, None]


def test_a_bundle_in_a_folder_is_one_file(tmp_path: Path) -> None:
    store = FolderFrameStore(tmp_path, ttl_s=60)
    store.put_bundle(frames_name("job-00001"), {f"frame-{number}": b"x" * 20_000 for number in range(8)})
    assert [path.name for path in tmp_path.glob("*/*")] == ["job-00001.frames"]


@pytest.mark.parametrize("key", ["../secret", "a/b", "", "a..b", "x" * 200, ".hidden"])
def test_a_key_cannot_leave_the_store(store: FrameStore, key: str) -> None:
    with pytest.raises(BadMessageError, match="frame key"):
        store.put_many({key: b"x"})
    with pytest.raises(BadMessageError, match="frame key"):
        store.get_many([key])
    with pytest.raises(BadMessageError, match="frame key"):
        store.put_bundle("job-00001.frames", {key: b"x"})
    with pytest.raises(BadMessageError, match="frame key"):
        store.get_bundle("job-00001.frames", [key])


def test_redis_frees_by_itself(redis_url: str) -> None:
    store = open_frame_store(redis_url, ttl_s=0.05)
    store.put_many({"frame-1": b"x"})
    time.sleep(0.1)
    assert store.get_many(["frame-1"]) == [None]


def test_a_folder_is_pruned_by_age(tmp_path: Path) -> None:
    store = FolderFrameStore(tmp_path, ttl_s=60)
    store.put_many({"old-frame": b"x", "new-frame": b"y"})
    (path,) = tmp_path.glob("*/old-frame")
    os.utime(path, (time.time() - 120, time.time() - 120))
    assert store.prune() == 1
    assert store.get_many(["old-frame", "new-frame"]) == [None, b"y"]
    assert FolderFrameStore(tmp_path, ttl_s=None).prune() == 0


def test_a_store_tells_what_was_put_before_a_time_if_it_knows(
    store: FrameStore, request: pytest.FixtureRequest
) -> None:
    store.put_many({"frame-1": b"x"})
    knows = not request.node.callspec.id.startswith("redis")
    assert list(store.keys_before(time.time() + 60)) == (["frame-1"] if knows else [])
    assert list(store.keys_before(time.time() - 60)) == []


def test_a_store_that_does_not_answer_is_retryable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        open_frame_store("redis://127.0.0.1:1/0", ttl_s=1).get_many(["frame-1"])
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError):
        open_frame_store((tmp_path / "file").as_uri(), ttl_s=1).put_many({"frame-1": b"x"})


def test_an_unknown_scheme_is_a_setting_error() -> None:
    with pytest.raises(SettingsError, match="floppy"):
        open_frame_store("floppy://a", ttl_s=1)
