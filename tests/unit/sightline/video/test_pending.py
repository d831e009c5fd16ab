"""Pictures that are decoded when somebody asks for the newest one."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from sightline.errors import SourceError
from sightline.video import pending as pending_module
from sightline.video.container import Container, ReadOptions
from sightline.video.picture import Picture
from tests.cameras import picture
from tests.videos import damage_packet, make_video


def pictures(path: Path) -> Iterator[Picture]:
    container = Container(f"file:{path}", ReadOptions({}, on_demand=True))
    yield from container.pictures()
    container.close()


def at(found: Iterator[Picture], index: int) -> Picture:
    """The picture so many behind the last one; nobody looks at those between."""
    return next(islice(found, index, None))


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mjpeg"])
def test_the_newest_picture_is_whole_though_none_before_was_asked_for(tmp_path: Path, codec: str) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    delay = {"libx265": {"x265-params": "log-level=none:bframes=0"}}.get(codec, {})
    options = {"g": "10", **delay}
    film = pictures(make_video(tmp_path / "a.mkv", frames=60, codec=codec, pix_fmt=pix_fmt, options=options))
    for passed_over, index in ((3, 3), (0, 4), (5, 10), (16, 27), (1, 29)):
        shown = at(film, passed_over).upright().to_ndarray(format="bgr24")
        assert np.abs(shown.astype(int) - picture(index)).mean() < 3, index


def test_pictures_that_are_sent_out_of_order_come_though_the_decoder_waits_for_more(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", frames=40, options={"preset": "medium", "g": "10", "bf": "3"})
    sent = _order_of(path)
    film = pictures(path)
    at(film, 9)
    for step in range(10, 20):
        shown = next(film).upright().to_ndarray(format="bgr24").astype(int)
        came = sent[10 : step + 1]
        assert min(np.abs(shown - picture(index)).mean() for index in came[-4:]) < 3, (step, came)


def test_pictures_begin_with_the_first_key_frame(tmp_path: Path) -> None:
    """As for who comes between two key frames of a live stream."""
    whole = make_video(tmp_path / "a.ts", frames=30, options={"g": "20"})
    first = next(pictures(_packets_from(whole, 5, tmp_path / "b.ts")))
    assert first.is_key
    assert np.abs(first.upright().to_ndarray(format="bgr24").astype(int) - picture(20)).mean() < 3


def test_a_damaged_picture_is_not_given(tmp_path: Path) -> None:
    path = damage_packet(make_video(tmp_path / "a.mkv", frames=20, noisy=True, options={"g": "10"}), 12)
    film = pictures(path)
    at(film, 11).frame()
    with pytest.raises(SourceError, match="could not be decoded"):
        next(film).frame()


def test_pictures_of_two_half_ones_are_put_together(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", frames=10, interlaced=True)
    film = pictures(path)
    assert _combed(at(film, 5)) < 0.5
    assert _combed(at(film, 1)) < 0.5


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "_MOST_BYTES", 5000)
    film = pictures(make_video(tmp_path / "a.mkv", frames=50, noisy=True, options={"g": "1000"}))
    shown = at(film, 40).upright().to_ndarray(format="bgr24")
    assert np.abs(shown.astype(int) - picture(40)).mean() < 30


def _combed(picture: Picture) -> float:
    """By how much lines differ from their neighbors: 1.6 where every other one is of another moment."""
    image = picture.upright().to_ndarray(format="gray").astype(int)
    return float(np.abs(image[1:-1] - (image[:-2] + image[2:]) // 2).mean())


def _packets_from(path: Path, first: int, to: Path) -> Path:
    """The video without its first packets."""
    with av.open(str(path)) as source, av.open(str(to), "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if index >= first and packet.size:
                packet.stream = stream
                target.mux(packet)
    return to


def _order_of(path: Path) -> list[int]:
    """Which pictures the packets are of."""
    with av.open(str(path)) as source:
        return [round(float(packet.pts * packet.time_base) * 10) for packet in source.demux(video=0) if packet.size]  # pyright: ignore[reportOptionalOperand]
