"""Cameras that are asked by HTTP: single pictures, passwords, and where they may lead."""

import threading
from itertools import islice, pairwise
from typing import Any

import cv2
import numpy as np
import pytest

from producers.api.uploads.addresses import may_be_camera, parse_address
from producers.camera.sources.opening import open_source
from producers.camera.sources.source import SourceOptions
from sightline.errors import SourceError
from sightline.images.header import ImageLimits
from tests.cameras import picture
from tests.web_camera import BASIC, DIGEST, PASSWORD, USER, asks_for_basic, asks_for_digest, web_camera

JPEG = {"Content-Type": "image/jpeg"}


def jpeg(index: int = 0) -> bytes:
    return cv2.imencode(".jpg", picture(index))[1].tobytes()


class Waits(threading.Event):
    """Nobody waits: how long is noted. Set after so many waits."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return len(self.seconds) > self._most


def pictures(url: str, count: int, *, stop: threading.Event | None = None, **options: Any) -> list[Any]:
    source = open_source(url, SourceOptions(**options), stop or Waits())
    try:
        return list(islice(source.grabs(), count))
    finally:
        source.close()


def test_a_camera_of_single_pictures_is_asked_as_often_as_they_are_wanted() -> None:
    served = iter(range(100))
    with web_camera(lambda _path, _headers: (200, JPEG, jpeg(next(served)))) as it:
        waits = Waits()
        taken = pictures(f"{it.url}/snap.jpg", 4, stop=waits, fps=2)
    assert len(it.asked) == 4  # what came when it was opened is the first
    for index, grab in enumerate(taken):
        assert np.abs(grab.bgr().astype(int) - picture(index)).mean() < 3
    assert all(0.4 < wait_s - before_s <= 0.5 for before_s, wait_s in pairwise(waits.seconds))


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", ""])
def test_what_is_sent_says_that_it_is_a_single_picture(kind: str) -> None:
    with web_camera(lambda _path, _headers: (200, {"Content-Type": kind}, jpeg())) as it:
        assert [grab.damaged for grab in pictures(it.url, 2)] == [False, False]


def test_a_picture_that_is_still_the_same_is_not_sent_again_and_no_frame() -> None:
    served = iter([0, 0, 0, 1])
    marks: list[str] = []

    def answer(_path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        mark = f'"{next(served)}"'
        if headers.get("If-None-Match") == mark:
            marks.append(mark)
            return 304, {"ETag": mark}, b""
        return 200, JPEG | {"ETag": mark}, jpeg()

    with web_camera(answer) as it:
        assert len(pictures(it.url, 2)) == 2
    assert (len(it.asked), marks) == (4, ['"0"', '"0"'])


@pytest.mark.parametrize(("challenge", "lacks"), [(BASIC, asks_for_basic), (DIGEST, asks_for_digest)])
def test_passwords_as_typed(challenge: dict[str, str], lacks: Any) -> None:
    def answer(_path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        return (401, challenge, b"") if lacks(headers) else (200, JPEG, jpeg())

    with web_camera(answer) as it:
        assert len(pictures(it.url.replace("//", f"//{USER}:{PASSWORD}@"), 3)) == 3
        for user, words in ((f"{USER}:wr0ng@", "user name or password is wrong"), ("", "it wants a user name and")):
            with pytest.raises(SourceError, match=words) as error:
                pictures(it.url.replace("//", f"//{user}"), 1)
            assert "wr0ng" not in str(error.value)


def test_one_broken_picture_costs_itself_and_three_the_connection() -> None:
    cut = jpeg()[:500]
    served = iter([jpeg(), cut, jpeg(), b"<html>busy</html>", cut, cut])
    with web_camera(lambda _path, _headers: (200, JPEG, next(served))) as it:
        source = open_source(it.url, SourceOptions(), Waits())
        seen: list[bool] = []
        with pytest.raises(SourceError, match="cut off"):
            seen.extend(grab.damaged for grab in source.grabs())
        source.close()
    assert seen == [False, True, False, True, True]


def test_a_picture_above_the_limit_is_refused() -> None:
    large = b"\xff\xd8\xff" + bytes(3_000_000)
    with (
        web_camera(lambda _path, _headers: (200, JPEG, large)) as it,
        pytest.raises(SourceError, match="at most 1 MB"),
    ):
        pictures(it.url, 10, limits=ImageLimits(1, 100))


def test_redirects_are_followed_on_the_same_camera_with_its_password() -> None:
    def answer(path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        if path == "/old":
            return 302, {"Location": "/new"}, b""
        return (401, BASIC, b"") if asks_for_basic(headers) else (200, JPEG, jpeg())

    with web_camera(answer) as it:
        assert len(pictures(f"{it.url}/old".replace("//", f"//{USER}:{PASSWORD}@"), 1)) == 1


def test_a_camera_that_redirects_for_ever_is_given_up() -> None:
    with web_camera(lambda _path, _headers: (302, {"Location": "/"}, b"")) as it:
        with pytest.raises(SourceError, match="more than 5 redirects"):
            pictures(it.url, 1)
        assert len(it.asked) == 6


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_a_redirect_to_another_server_of_this_machine_is_not_followed(host: str) -> None:
    with (
        web_camera(lambda _path, _headers: (200, JPEG, jpeg())) as secret,
        web_camera(lambda _path, _headers: (302, {"Location": f"http://{host}:{secret.port}/"}, b"")) as it,
    ):
        with pytest.raises(SourceError, match="which is not followed"):
            pictures(it.url, 1)
        assert not secret.asked


@pytest.mark.parametrize("target", ["file:///etc/passwd", "rtsp://10.0.0.1/x", "http://169.254.169.254/latest/"])
def test_a_redirect_to_what_is_no_camera_is_not_followed(target: str) -> None:
    with (
        web_camera(lambda _path, _headers: (302, {"Location": target}, b"")) as it,
        pytest.raises(SourceError, match=r"not followed|only http and https are followed"),
    ):
        pictures(it.url, 1)


@pytest.mark.parametrize("piece", ["http://127.0.0.1:{port}/0.ts", "file:///etc/passwd", "crypto+file:///etc/passwd"])
def test_a_playlist_leads_to_no_other_server_of_this_machine_and_to_no_file(piece: str) -> None:
    with web_camera(lambda _path, _headers: (200, {}, bytes(188 * 100))) as secret:
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{piece.format(port=secret.port)}\n#EXT-X-ENDLIST\n"
        kind = {"Content-Type": "application/vnd.apple.mpegurl"}
        with (
            web_camera(lambda _path, _headers: (200, kind, playlist.encode())) as it,
            pytest.raises(SourceError, match=r"not followed|no video that can be read"),
        ):
            pictures(f"{it.url}/live", 1)
        assert not secret.asked


def test_what_may_be_a_camera() -> None:
    for address in ("10.0.0.7", "192.168.1.64", "127.0.0.1", "169.254.10.20", "fe80::1", "93.184.215.14"):
        assert may_be_camera(parse_address(address)), address
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "239.1.2.3", "0.0.0.0"):
        assert not may_be_camera(parse_address(address)), address
    for url in ("http://169.254.169.254/", "rtsp://169.254.169.254/x", "rtmp://0.0.0.0/x"):
        with pytest.raises(SourceError, match="cannot be that of a camera"):
            pictures(url, 1)


def test_a_stream_that_nothing_here_can_ask_for_is_told_with_the_cure() -> None:
    with pytest.raises(SourceError, match="let a relay such as MediaMTX turn the stream into rtsp"):
        pictures("srt://127.0.0.1:9000", 1)
