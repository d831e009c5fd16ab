"""What people set up: cameras and API keys."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from sightline.errors import BadMessageError
from sightline.types import Pipeline
from storage.access.keys import Role, check_key, create_key, list_keys, revoke_key
from storage.cameras import (
    Camera,
    CameraExistsError,
    CameraNotFoundError,
    add_camera,
    get_camera,
    list_cameras,
    remove_camera,
    update_camera,
)
from storage.database.engine import Database
from storage.results import queries
from storage.results.store import Store
from storage.tables import ApiKeys, Sources
from tests.integration.storage.bundles import frame_result, message

GATE = Camera(camera_id="gate", url=SecretStr("rtsp://me:secret@10.0.0.5/stream"), fps=2.5, motion=False)


def test_how_a_camera_is_looked_at_is_kept(database: Database) -> None:
    mask = (((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)),)
    add_camera(database, GATE.model_copy(update={"rotation": 90, "mask": mask}))
    assert (get_camera(database, "gate").rotation, get_camera(database, "gate").mask) == (90, mask)
    for change, words in (({"mask": (((0, 0), (1, 1)),)}, "mask"), ({"rotation": 45}, "rotation")):
        with pytest.raises(BadMessageError, match=words):
            update_camera(database, "gate", **change)
    assert update_camera(database, "gate", rotation=0, mask=()) == GATE


def test_a_folder_says_what_becomes_of_its_photos(database: Database) -> None:
    yard = Camera(camera_id="yard", url=SecretStr("/srv/ftp/yard/"), after_reading="move")
    add_camera(database, yard)
    assert get_camera(database, "yard") == yard
    for change in ({"url": "rtsp://10.0.0.5/s"}, {"loop": True}, {"min_fps": 1.0}):
        with pytest.raises(BadMessageError, match="folder"):
            update_camera(database, "yard", **change)
    assert update_camera(database, "yard", url="rtsp://10.0.0.5/s", after_reading="keep").after_reading == "keep"


def test_a_folder_is_watched_by_one_camera(database: Database) -> None:
    add_camera(database, Camera(camera_id="yard", url=SecretStr("/srv/ftp/my yard/")))
    for url, words in (
        ("/srv/ftp/my yard/", "camera 'yard' watches that folder: each photo would be read twice"),
        ("file:///srv/ftp//my%20yard/", "camera 'yard' watches that folder"),
        ("/srv/ftp/my yard/lane/", "camera 'yard' watches /srv/ftp/my yard/, and folders are watched with what lies"),
        ("/srv/ftp/", "give 'lane' a folder of its own"),
    ):
        with pytest.raises(BadMessageError, match=words) as refused:
            add_camera(database, Camera(camera_id="lane", url=SecretStr(url)))
        assert refused.value.field == "url"
    add_camera(database, Camera(camera_id="lane", url=SecretStr("/srv/ftp/my yard 2/")))
    add_camera(database, Camera(camera_id="clip", url=SecretStr("/srv/ftp/my yard/clip.mp4")))
    with pytest.raises(BadMessageError, match="camera 'yard' watches that folder"):
        update_camera(database, "lane", url="/srv/ftp/my yard/")
    assert update_camera(database, "yard", url="/srv/ftp/my yard/./").camera_id == "yard"


def test_two_streams_are_of_a_live_camera_on_the_network(database: Database) -> None:
    sub = SecretStr("rtsp://admin:secret@10.0.0.5/sub")
    both = GATE.model_copy(update={"sub_url": sub})
    add_camera(database, both)
    assert get_camera(database, "gate") == both
    assert "secret" not in repr(both) + both.model_dump_json()
    for changes, says in (
        ({"preset": "archive"}, "sub_url: does not go with preset: archive"),
        ({"url": "/srv/ftp/yard/"}, "'/srv/ftp/yard/' is a folder, and cannot be used beside it"),
        ({"url": "0"}, "'0' is a USB camera, and cannot be used beside it"),
        ({"sub_url": "1"}, "'1' is a USB camera, and cannot be used as the smaller stream"),
    ):
        with pytest.raises(BadMessageError, match=says) as caught:
            update_camera(database, "gate", **changes)
        assert caught.value.field == "sub_url"
    assert update_camera(database, "gate", sub_url=None) == GATE


def test_a_camera_comes_back_as_it_was_added(database: Database) -> None:
    yard = Camera(camera_id="yard", url=SecretStr("file:///yard.mp4"), preset="archive")
    add_camera(database, yard)
    add_camera(database, GATE)
    assert get_camera(database, "gate") == GATE
    assert list_cameras(database) == [GATE, yard]


def test_the_url_is_never_shown() -> None:
    assert "secret" not in repr(GATE) + str(GATE) + GATE.model_dump_json()


def test_a_camera_is_not_overwritten(database: Database) -> None:
    add_camera(database, GATE)
    with pytest.raises(CameraExistsError):
        add_camera(database, GATE.model_copy(update={"fps": 9.0}))
    assert get_camera(database, "gate") == GATE


def test_an_archive_is_read_once(database: Database) -> None:
    looping = GATE.model_copy(update={"loop": True})
    for refused in (
        lambda: add_camera(database, looping.model_copy(update={"preset": "archive"})),
        lambda: add_camera(database, looping) and update_camera(database, "gate", preset="archive"),
    ):
        with pytest.raises(BadMessageError, match=r"loop: .* preset: archive") as caught:
            refused()
        assert caught.value.field == "loop"
    assert get_camera(database, "gate") == looping


def test_a_lower_limit_is_below_the_upper_one_and_of_live_cameras(database: Database) -> None:
    add_camera(database, GATE.model_copy(update={"min_fps": 0.5}))
    assert get_camera(database, "gate").min_fps == 0.5
    for changes, says in (
        ({"min_fps": 3}, r"min_fps: 3 is more than fps: 2\.5; give at most that, or more fps"),
        ({"fps": 0.4}, r"min_fps: 0\.5 is more than fps: 0\.4"),
        ({"preset": "archive"}, r"min_fps: 0\.5 does not go with preset: archive.*leave min_fps out"),
        ({"min_fps": 0}, r"min_fps: .*greater than 0.*got 0"),
    ):
        with pytest.raises(BadMessageError, match=says) as caught:
            update_camera(database, "gate", **changes)
        assert caught.value.field == "min_fps"
    assert update_camera(database, "gate", min_fps=None) == GATE
    remove_camera(database, "gate")
    with pytest.raises(BadMessageError, match="min_fps: 3 is more"):
        add_camera(database, GATE.model_copy(update={"min_fps": 3}))


def test_changes_are_validated(database: Database) -> None:
    add_camera(database, GATE)
    changed = update_camera(database, "gate", fps=1.0, enabled=False, pipeline="objects")
    assert (changed.fps, changed.enabled, changed.pipeline, changed.url) == (1.0, False, Pipeline.OBJECTS, GATE.url)
    assert get_camera(database, "gate") == changed
    bad: list[dict[str, Any]] = [{"fps": 0}, {"preset": "x"}, {"colour": "red"}, {"camera_id": "other"}, {"url": ""}]
    for changes in bad:
        with pytest.raises(BadMessageError) as caught:
            update_camera(database, "gate", **changes)
        assert caught.value.field == next(iter(changes))
    assert get_camera(database, "gate") == changed


def test_a_removed_camera_leaves_its_frames_and_may_come_back(database: Database, store: Store) -> None:
    add_camera(database, GATE)
    store.store([message(frame_result(source="gate"))], ())
    remove_camera(database, "gate")
    assert list_cameras(database) == []
    assert len(queries.list_frames(database, source="gate").items) == 1
    add_camera(database, GATE)
    assert get_camera(database, "gate") == GATE


def test_unknown_cameras(database: Database, store: Store) -> None:
    store.store([message(frame_result(source="gate"))], ())  # a source, but no camera
    for call in (get_camera, update_camera, remove_camera):
        with pytest.raises(CameraNotFoundError, match="'gate'"):
            call(database, "gate")


def test_a_key_is_checked_by_its_text(database: Database) -> None:
    plaintext = create_key(database, "dashboard", "viewer")
    assert plaintext.startswith("sl_")
    key = check_key(database, plaintext)
    assert key is not None
    assert (key.name, key.role) == ("dashboard", Role.VIEWER)
    assert list_keys(database) == [key]
    for wrong in (plaintext[:-1], plaintext + "0", plaintext[3:], "sl_", "sl__", "", "sl_\x00_x", "sl_é_\ud800"):
        assert check_key(database, wrong) is None
    assert check_key(database, plaintext.rsplit("_", 1)[0] + "_\ud800") is None


def test_the_secret_is_not_stored(database: Database) -> None:
    secret = create_key(database, "robot", Role.OPERATOR).rsplit("_", 1)[1]
    with database.read() as connection:
        (row,) = connection.execute(sa.select(ApiKeys.__table__))
    assert secret not in str(row)


def test_a_revoked_key_is_no_key(database: Database) -> None:
    keep, end = create_key(database, "keep", "admin"), create_key(database, "end", "admin")
    ended = check_key(database, end)
    assert ended is not None
    assert revoke_key(database, ended.key_id) is True
    assert revoke_key(database, ended.key_id) is False
    assert revoke_key(database, "unknown") is False
    assert check_key(database, end) is None
    assert check_key(database, keep) is not None
    assert [key.revoked_at is None for key in list_keys(database)] == [True, False]


def test_unknown_roles_are_refused(database: Database) -> None:
    with pytest.raises(BadMessageError, match="viewer, operator, admin"):
        create_key(database, "x", "root")


def test_a_camera_of_a_pipeline_that_is_gone_hides_no_other(database: Database) -> None:
    add_camera(database, Camera.model_validate({"camera_id": "good", "url": "rtsp://a/1"}))
    add_camera(database, Camera.model_validate({"camera_id": "lost", "url": "rtsp://a/2"}))
    with database.write() as connection:
        connection.execute(sa.update(Sources).where(Sources.source_id == "lost").values(pipeline="count-letters"))
    assert [(one.camera_id, one.pipeline) for one in list_cameras(database)] == [
        ("good", "plates"),
        ("lost", "count-letters"),
    ]
    assert not update_camera(database, "lost", enabled=False).enabled  # it may be paused all the same
    with pytest.raises(BadMessageError, match="'cars' is unknown; known are objects, text, plates"):
        update_camera(database, "good", pipeline="cars")
    assert update_camera(database, "lost", pipeline="objects").pipeline == "objects"
