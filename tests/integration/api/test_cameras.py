"""`/v1/cameras` but for who may do what."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.cameras import write_clip
from tests.onvif_camera import PASSWORD, USER, onvif_camera


def test_a_stream_is_looked_at_before_it_is_added(client: TestClient, tmp_path: Path) -> None:
    found = client.post("/v1/cameras/test", json={"url": str(write_clip(tmp_path / "a.mp4", seconds=1))}).json()
    assert (found["error"], found["codec"], found["width"], found["pictures"]) == (None, "H.264", 320, 10)
    assert found["picture"]
    wrong = client.post("/v1/cameras/test", json={"url": "rtsp://admin:s3cret@127.0.0.1:1/x"})
    assert wrong.status_code == 200
    assert "nothing answers at this port" in wrong.json()["error"]
    assert "s3cret" not in wrong.text
    assert client.get("/v1/cameras").json()["items"] == []


@pytest.mark.parametrize("url", ["rtsp://admin:p@ss@w/x@y", "ftp://10.0.0.7/x"])
def test_an_address_that_cannot_be_right_is_refused(client: TestClient, url: str) -> None:
    answer = client.post("/v1/cameras/test", json={"url": url})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("url: ")


@pytest.mark.parametrize("url", ["rtmp://10.0.0.7/live/gate", "rtmps://10.0.0.7/live/gate", "srt://10.0.0.7:9000"])
def test_streams_of_every_kind_may_be_cameras(client: TestClient, url: str) -> None:
    added = client.post("/v1/cameras", json={"camera_id": "gate", "url": url, "enabled": False})
    assert (added.status_code, added.json()["url"]) == (201, url)


def test_how_a_camera_hangs_and_what_is_looked_at(client: TestClient) -> None:
    mask = [[[0, 0.5], [1, 0.5], [1, 1]]]
    new = {"camera_id": "gate", "url": "rtsp://10.0.0.7/s", "enabled": False, "rotation": 180, "mask": mask}
    added = client.post("/v1/cameras", json=new).json()
    assert (added["rotation"], added["mask"]) == (180, mask)
    assert client.patch("/v1/cameras/gate", json={"mask": []}).json()["mask"] == []
    for wrong in ({"rotation": 45}, {"mask": [[[0, 0], [1, 1]]]}, {"mask": [[[0, 0], [1, 1], [0, 2]]]}):
        assert client.patch("/v1/cameras/gate", json=wrong).status_code == 422
    page = client.get("/").text
    assert "turned by 180°" in page


@pytest.mark.parametrize(
    ("pipeline", "said"), [("chat", "a picture beside other parts"), ("transcribe", "takes sound")]
)
def test_a_camera_has_no_pipeline_that_its_pictures_are_nothing_for(
    client: TestClient, pipeline: str, said: str
) -> None:
    answer = client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://10.0.0.7/a", "pipeline": pipeline})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert "plates" in answer.json()["detail"]


def test_zones_are_set_shown_and_refused_in_words(client: TestClient) -> None:
    zone = {"name": "lane", "polygon": [[0, 540], [1920, 540], [1920, 1080]], "mode": "report", "size": [1920, 1080]}
    new = {"camera_id": "gate", "url": "rtsp://10.0.0.7/s", "enabled": False, "zones": [zone]}
    added = client.post("/v1/cameras", json=new)
    assert added.json()["zones"] == [{"name": "lane", "polygon": [[0, 0.5], [1, 0.5], [1, 1]], "mode": "report"}]
    assert "zone lane" in client.get("/").text
    crossed = {"name": "bow", "polygon": [[0, 0], [1, 1], [1, 0], [0, 0.9]]}
    for zones, words in (
        ([crossed], "bow: its sides cross"),
        ([zone, zone], "lane: two zones"),
        ([zone | {"size": None}], "540 is no share"),
    ):
        for answer in (
            client.patch("/v1/cameras/gate", json={"zones": zones}),
            client.post("/v1/cameras", json=new | {"camera_id": "other", "zones": zones}),
            client.post("/v1/cameras/test", json={"url": new["url"], "zones": zones}),
        ):
            assert answer.status_code == 422
            assert words in answer.text
    assert client.patch("/v1/cameras/gate", json={"zones": []}).json()["zones"] == []


def test_zones_are_drawn_on_the_picture_of_a_test(client: TestClient, tmp_path: Path) -> None:
    url = str(write_clip(tmp_path / "a.mp4", seconds=1, moving=False))
    zones = [{"name": "lane", "polygon": [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]], "mode": "look"}]
    client.post(
        "/v1/cameras", json={"camera_id": "gate", "url": url, "enabled": False, "zones": zones, "preset": "archive"}
    )
    plain, drawn, known = (
        _picture(client.post("/v1/cameras/test", json=asked).json())
        for asked in ({"url": url}, {"url": url, "zones": zones}, {"camera_id": "gate"})
    )
    assert plain.shape == drawn.shape
    outside, edge = np.s_[:100, :140], np.s_[118:123, 200:320]
    assert (plain[outside].mean() > 50, drawn[outside].mean() < 5) == (True, True)
    assert np.abs(drawn[edge].astype(int) - plain[edge]).max() > 100
    assert np.abs(drawn.astype(int) - known).max() < 3
    for asked, status in (({"camera_id": "nobody"}, 404), ({}, 422), ({"url": url, "camera_id": "gate"}, 422)):
        assert client.post("/v1/cameras/test", json=asked).status_code == status


def _picture(found: dict[str, Any]) -> Any:
    return cv2.imdecode(np.frombuffer(base64.b64decode(found["picture"]), np.uint8), cv2.IMREAD_COLOR)


def test_the_page_says_of_each_camera_only_what_goes_for_it(client: TestClient) -> None:
    """Photos of a folder have no rate, and each is read, whether something moved or not."""
    client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://10.0.0.7/s", "enabled": False})
    page = client.get("/").text
    for tag in ("plates", "5/s wanted", "motion only"):
        assert f'<span class="tag">{tag}</span>' in page
    client.delete("/v1/cameras/gate")
    client.post("/v1/cameras", json={"camera_id": "photos", "url": "/photos/", "enabled": False})
    page = client.get("/").text
    assert '<span class="tag">folder</span>' in page
    for words in ("wanted", "motion only", ">fps now<", ">thinned<", ">still<"):
        assert words not in page


def test_a_camera_with_two_streams_shows_neither_password(client: TestClient) -> None:
    main, sub = "rtsp://admin:s3cret@10.0.0.7/main", "rtsp://admin:s3cret@10.0.0.7/sub"
    new = {"camera_id": "gate", "url": main, "sub_url": sub, "enabled": False}
    added = client.post("/v1/cameras", json=new)
    assert (added.json()["url"], added.json()["sub_url"]) == ("rtsp://***@10.0.0.7/main", "rtsp://***@10.0.0.7/sub")
    page = client.get("/").text
    assert "two streams" in page
    assert "s3cret" not in added.text + page
    for wrong in ("ftp://10.0.0.7/x", "rtsp://admin:p@ss@w/x@y"):
        refused = client.patch("/v1/cameras/gate", json={"sub_url": wrong})
        assert (refused.status_code, refused.json()["detail"][:9]) == (422, "sub_url: ")
    assert client.patch("/v1/cameras/gate", json={"sub_url": None}).json()["sub_url"] is None


def test_cameras_of_the_network_are_found(client: TestClient) -> None:
    with onvif_camera() as camera:
        asked = {"user": USER, "password": PASSWORD, "address": camera.address}
        [found] = client.post("/v1/cameras/discover", json=asked).json()["items"]
    assert (found["error"], [stream["width"] for stream in found["streams"]]) == (None, [2560, 640])
    assert client.post("/v1/cameras/discover", json={"address": "10.0.0.7/x"}).status_code == 422
