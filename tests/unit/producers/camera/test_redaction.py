import pytest

from sightline.redaction import redact_text, redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:s3cret@10.0.0.7:554/ch1", "rtsp://***@10.0.0.7:554/ch1"),
        ("rtsp://admin@cam/ch1", "rtsp://***@cam/ch1"),
        ("rtsp://admin:s3@cret@cam/ch1", "rtsp://***@cam/ch1"),
        ("rtsp://admin:s3/c?r#et@cam/ch1", "rtsp://***@cam/ch1"),
        ("rtsp://admin:s3?cret@cam", "rtsp://***@cam"),
        ("RTSP://admin:s3cret@cam/", "RTSP://***@cam/"),
        ("http://cam/video?user=admin&password=s3cret&fps=5", "http://cam/video?user=***&password=***&fps=5"),
        ("http://cam/video?loginuse=admin&loginpas=s3cret", "http://cam/video?loginuse=***&loginpas=***"),
        ("http://cam/video?access_token=s3cret#top", "http://cam/video?access_token=***#top"),
        (
            "rtsp://cam/user=admin_password=s3_cret_channel=1_stream=0.sdp",
            "rtsp://cam/user=***_password=***_channel=1_stream=0.sdp",
        ),
        ("http://cam/video?mail=a@b.c", "http://cam/video?mail=a@b.c"),
        ("rtsp://cam:554/ch1", "rtsp://cam:554/ch1"),
        ("/videos/clip@home.mp4", "/videos/clip@home.mp4"),
        ("0", "0"),
        ("", ""),
    ],
)
def test_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_urls_inside_a_text() -> None:
    text = "[Errno 111] Connection refused: 'rtsp://admin:s3cret@cam/ch1', and redis://:hunter2@host:6379/0 too"
    assert redact_text(text) == "[Errno 111] Connection refused: 'rtsp://***@cam/ch1', and redis://***@host:6379/0 too"


def test_known_url_with_a_blank_in_its_password() -> None:
    url = "rtsp://admin:my s3cret@cam/ch1"
    assert redact_text(f"cannot open {url}", url) == "cannot open rtsp://***@cam/ch1"
