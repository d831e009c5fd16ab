"""Cameras are found by WS-Discovery and tell their streams by ONVIF: with a real socket for each, on this machine."""

import re
from datetime import timedelta

import pytest

from producers.camera.onvif.discovery import FoundCamera, discover
from producers.camera.onvif.search import device_at, here, search
from producers.camera.onvif.soap import Soap
from producers.camera.onvif.xml import NotXmlError, read_xml
from sightline.errors import BadMessageError, SourceError
from tests.onvif_camera import PASSWORD, USER, OnvifCamera, onvif_camera


def found(camera: OnvifCamera, user: str = USER, password: str = PASSWORD) -> FoundCamera:
    [one] = discover(user, password, look=lambda seconds: search(0.5, port=camera.udp_port, source="127.0.0.1"))
    return one


def test_a_camera_is_found_with_its_streams_the_largest_first() -> None:
    with onvif_camera() as camera:
        one = found(camera)
    assert (one.address, one.name, one.error) == ("127.0.0.1", "Drawn C-1", None)
    assert [(stream.url, stream.codec, stream.width, stream.height, stream.fps) for stream in one.streams] == [
        ("rtsp://10.0.0.7:554/main", "H265", 2560, 1440, 25),
        ("rtsp://10.0.0.7:554/sub", "H264", 640, 360, 10),
    ]


def test_one_is_asked_by_its_address() -> None:
    with onvif_camera() as camera:
        [one] = discover(USER, PASSWORD, address=camera.address)
        assert (one.name, len(one.streams)) == ("Drawn C-1", 2)
    [gone] = discover(USER, PASSWORD, address=camera.address)
    assert "nothing there speaks ONVIF" in (gone.error or "")
    [never] = discover(address="169.254.169.254")
    assert "cannot be that of a camera" in (never.error or "")
    [unknown] = discover(address="no-such-camera.invalid")
    assert "is not known" in (unknown.error or "")


@pytest.mark.parametrize("address", ["300.1.1.1", "10.0.0.7:99999", "10.0.0.7:0", "10.0.0.7:x", "[::1"])
def test_what_is_no_address_is_refused_in_words(address: str) -> None:
    with pytest.raises(BadMessageError, match=rf"^address: '{re.escape(address)}' is no address; give"):
        discover(address=address)


@pytest.mark.parametrize("hours", [-30, 5])
def test_a_camera_whose_clock_is_wrong_takes_the_password_by_its_own_clock(hours: int) -> None:
    with onvif_camera(OnvifCamera(clock_off=timedelta(hours=hours))) as camera:
        one = found(camera)
        assert (one.error, len(one.streams)) == (None, 2)
        assert one.clock_off_s == pytest.approx(hours * 3600, abs=3)
        assert "its clock is 1" in (found(camera, password="wrong").error or "")


def test_why_its_streams_are_not_told_is_said_with_the_cure() -> None:
    with onvif_camera() as camera:
        assert "user name or password is wrong; many" in (found(camera, password="wrong").error or "")
        assert "it wants a user name and a password" in (found(camera, user="").error or "")
    with onvif_camera(OnvifCamera(tells_clock=False, clock_off=timedelta(hours=1))) as camera:
        assert "or its clock, which it does not tell, is wrong" in (found(camera).error or "")


def test_it_is_asked_where_it_answered_from_whatever_it_says() -> None:
    """Or who answers could send the password to somebody else."""
    assert here("http://169.254.169.254:81/x?y=1", "10.0.0.7") == "http://10.0.0.7:81/x?y=1"
    assert here("https://camera.local/x", "fe80::1") == "https://[fe80::1]/x"


@pytest.mark.parametrize(
    "says",
    [
        "",
        "<a",
        "<a/>",
        "<a><XAddrs>ftp://10.0.0.7/</XAddrs></a>",
        "<a><XAddrs>http://[::1</XAddrs></a>",
        "<a><XAddrs>http://10.0.0.7:99999/</XAddrs></a>",
        "\0" * 60000,
    ],
)
def test_an_answer_of_something_else_is_passed_over(says: str) -> None:
    with onvif_camera(says=says) as camera:
        assert search(0.4, port=camera.udp_port, source="127.0.0.1") == []


@pytest.mark.parametrize("port", ["99999", "80x"])
def test_a_camera_that_names_no_address_of_its_streams_says_so_and_hides_no_other(port: str) -> None:
    class Broken(OnvifCamera):
        def answer(self, body: str) -> tuple[int, str]:
            status, said = super().answer(body)
            return status, said.replace(f":{self.http_port}/onvif/media", f":{port}/onvif/media")

    with onvif_camera() as good, onvif_camera(Broken()) as broken:
        there = [device_at(good.address), device_at(broken.address)]
        one, other = discover(USER, PASSWORD, look=lambda _: there)
    assert (one.error, len(one.streams)) == (None, 2)
    assert other.streams == ()
    assert "is no address" in (other.error or "")


def test_an_answer_that_never_ends_is_given_up() -> None:
    with onvif_camera(drips=True) as camera:
        soap = Soap(USER, PASSWORD, timeout_s=0.3)
        with pytest.raises(SourceError, match="it does not answer questions"):
            soap.ask(f"http://{camera.address}/onvif/device_service", "<GetDeviceInformation/>")
        soap.close()


def test_xml_that_names_files_or_grows_is_not_read() -> None:
    entity = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    grows = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    for text in (entity, grows, "<a>" + "b" * 1_000_001 + "</a>"):
        with pytest.raises(NotXmlError):
            read_xml(text.encode())
