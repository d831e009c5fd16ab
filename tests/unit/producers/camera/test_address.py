"""Addresses of cameras with passwords as people have them."""

import pytest

from producers.camera.address import check_credentials, encode_credentials
from sightline.errors import BadMessageError


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("rtsp://admin:p@ss/w#rd@host/ch1", "rtsp://admin:p%40ss%2Fw%23rd@host/ch1"),
        ("rtsp://admin:p@ss@host:554/x", "rtsp://admin:p%40ss@host:554/x"),
        ("rtsp://admin:p/ss@host/x", "rtsp://admin:p%2Fss@host/x"),
        ("rtsp://admin:p?ss@host/x", "rtsp://admin:p%3Fss@host/x"),
        (
            "rtsp://admin:pa#ss@10.0.0.1:554/Streaming/Channels/101",
            "rtsp://admin:pa%23ss@10.0.0.1:554/Streaming/Channels/101",
        ),
        ("rtsp://admin:a:b@host/x", "rtsp://admin:a%3Ab@host/x"),
        ("rtsp://admin:my secret@host/x", "rtsp://admin:my%20secret@host/x"),
        ("rtsp://admin:50%@host/x", "rtsp://admin:50%25@host/x"),
        ("rtsp://admin:p%40ss@host/x", "rtsp://admin:p%40ss@host/x"),
        ("rtsp://admin@host/x", "rtsp://admin@host/x"),
        ("rtsp://host:554/stream@1", "rtsp://host:554/stream@1"),
        ("http://admin:secret@host/x?mail=a@b", "http://admin:secret@host/x?mail=a@b"),
        ("rtsp://admin:secret@[fe80::1]:554/x", "rtsp://admin:secret@[fe80::1]:554/x"),
        ("rtsp://host", "rtsp://host"),
        ("0", "0"),
    ],
)
def test_credentials_are_encoded_once(written: str, right: str) -> None:
    assert encode_credentials(written) == right
    assert encode_credentials(right) == right
    check_credentials(written)


def test_a_password_whose_end_is_not_clear_is_refused_with_the_cure() -> None:
    with pytest.raises(BadMessageError, match="which @ ends the password; write the others as %40") as error:
        check_credentials("rtsp://admin:s3cret@host/a@b")
    assert (error.value.field, "s3cret" in str(error.value)) == ("url", False)
    assert encode_credentials("rtsp://admin:s3cret@host/a@b") == "rtsp://admin:s3cret@host/a@b"


def test_files_may_have_any_name() -> None:
    check_credentials("file:///videos/a@b:c/d@e.mp4")
    check_credentials("/videos/a@b.mp4")
