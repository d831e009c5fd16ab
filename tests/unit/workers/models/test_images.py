"""Decode, crop, encode."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sightline.errors import BadImageError
from sightline.types import Detection
from tests.fuzz.pictures import odd_pictures
from workers.pixels.images import BgrImage, crop, decode, decode_small, encode_jpeg, with_margin


@pytest.fixture(scope="module")
def photo() -> BgrImage:
    noise = np.random.default_rng(7).integers(0, 256, (60, 80, 3), np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def encoded(image: BgrImage, suffix: str) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def box(*xyxy: float, corners: object = None) -> Detection:
    return Detection.model_validate(
        {"xyxy": xyxy, "label": "text", "class_id": 0, "confidence": 0.5, "corners": corners}
    )


@pytest.mark.parametrize(("suffix", "tolerance"), [(".jpg", 30), (".png", 0), (".webp", 40)])
def test_decode(photo: BgrImage, suffix: str, tolerance: int):
    image = decode(encoded(photo, suffix), max_mpx=1)
    assert image.shape == photo.shape
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - photo).mean() <= tolerance


def test_decode_makes_three_channels_of_gray_and_alpha(photo: BgrImage):
    gray = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)
    assert decode(encoded(gray, ".png"), max_mpx=1).shape == (240, 320, 3)
    alpha = cv2.cvtColor(photo, cv2.COLOR_BGR2BGRA)
    assert np.array_equal(decode(encoded(alpha, ".png"), max_mpx=1), photo)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_truncated_files_are_refused(photo: BgrImage, suffix: str, share: float):
    data = encoded(photo, suffix)
    with pytest.raises(BadImageError):
        decode(data[: int(len(data) * share)], max_mpx=1)


def test_a_thumbnail_does_not_hide_a_truncated_photo(photo: BgrImage):
    whole, thumbnail = encoded(photo, ".jpg"), encoded(photo[:60, :80], ".jpg")
    segment = b"\xff\xe2" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    with_thumbnail = whole[:2] + segment + whole[2:]
    assert decode(with_thumbnail, max_mpx=1).shape == (240, 320, 3)
    with pytest.raises(BadImageError, match="cut off"):
        decode(with_thumbnail[:-500], max_mpx=1)


def test_a_flipped_bit_in_a_png_is_refused(photo: BgrImage):
    data = bytearray(encoded(photo, ".png"))
    data[len(data) // 2] ^= 1
    with pytest.raises(BadImageError):
        decode(bytes(data), max_mpx=1)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(data: bytes):
    with pytest.raises(BadImageError):
        decode(data, max_mpx=1)


def test_too_many_pixels_are_refused_before_decoding(photo: BgrImage):
    with pytest.raises(BadImageError):
        decode(encoded(photo, ".png"), max_mpx=0.05)


@pytest.mark.parametrize(
    ("least_px", "columns"), [(0, 320), (161, 320), (160, 160), (81, 160), (80, 80), (40, 40), (39, 40), (1, 40)]
)
def test_a_jpeg_is_decoded_as_small_as_it_may_be(photo: BgrImage, least_px: int, columns: int):
    picture = decode_small(encoded(photo, ".jpg"), least_px=least_px, max_mpx=1)
    assert picture.image.shape == (columns * 3 // 4, columns, 3)
    assert (picture.width, picture.height) == (320, 240)
    small = cv2.resize(photo, (columns, columns * 3 // 4), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.image.astype(int) - small).mean() < 30


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_only_a_jpeg_is_decoded_smaller(photo: BgrImage, suffix: str):
    assert decode_small(encoded(photo, suffix), least_px=1, max_mpx=1).image.shape == photo.shape


@pytest.mark.parametrize(
    ("columns", "rows"), [(319, 239), (239, 319), (161, 160), (160, 161), (2, 1), (9, 8), (300, 1)]
)
def test_odd_sizes_are_those_of_the_file(photo: BgrImage, columns: int, rows: int):
    picture = decode_small(encoded(cv2.resize(photo, (columns, rows)), ".jpg"), least_px=1, max_mpx=1)
    assert (picture.width, picture.height) == (columns, rows)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_upright_when_decoded_smaller(orientation: int):
    data = next(item.data for item in odd_pictures() if item.kind == f"jpeg orientation {orientation}")
    whole, picture = decode(data, max_mpx=1), decode_small(data, least_px=80, max_mpx=1)
    rows, columns = whole.shape[:2]
    assert (picture.width, picture.height) == (columns, rows)
    assert picture.image.shape == (rows // 2, columns // 2, 3)
    small = cv2.resize(whole, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.image.astype(int) - small).mean() < 8


def test_detections_in_a_smaller_picture_are_told_in_pixels_of_the_file(photo: BgrImage):
    data = encoded(cv2.resize(photo, (319, 240)), ".jpg")
    picture = decode_small(data, least_px=159, max_mpx=1)
    corners = ((0, 0), (160, 0), (160, 120), (0, 120))
    (found,) = picture.in_full([box(40, 30, 160, 120, corners=corners)])
    assert found.xyxy == pytest.approx((40 * 319 / 160, 60, 319, 240))
    assert found.corners == ((0, 0), (319, 0), (319, 240), (0, 240))
    whole = decode_small(data, least_px=0, max_mpx=1)
    assert whole.in_full([found]) == (found,)


def test_encode_jpeg_round_trip(photo: BgrImage):
    smooth = cv2.GaussianBlur(photo, (0, 0), 5)
    again = decode(encode_jpeg(smooth, quality=95), max_mpx=1)
    assert np.abs(again.astype(int) - smooth).mean() < 3


def test_crop_cuts_the_box(photo: BgrImage):
    cut = crop(photo, box(10, 20, 110, 60))
    assert np.array_equal(cut, photo[20:60, 10:110])
    cut[:] = 0
    assert photo[20:60, 10:110].any(), "a crop must not share memory with its frame"


def test_margin_is_a_share_of_the_height(photo: BgrImage):
    assert np.array_equal(crop(photo, box(50, 60, 150, 100), margin=0.25), photo[50:110, 40:160])
    assert np.array_equal(crop(photo, box(50, 60, 150, 100), margin=-0.25), photo[70:90, 60:140])


def test_what_is_missing_around_a_box_is_the_edge_of_the_photo_again(photo: BgrImage) -> None:
    cut = crop(photo, box(0, 10, 60, 30), margin=0.5)
    assert cut.shape == (40, 80, 3)
    assert np.array_equal(cut[:, 10:], photo[0:40, 0:70])
    assert np.array_equal(cut[:, :10], np.repeat(photo[0:40, :1], 10, axis=1))


@pytest.mark.parametrize("wanted", [0.0, 0.15, 0.5])
@pytest.mark.parametrize("given", [0.15, 0.5])
def test_a_crop_has_the_margin_that_is_wanted(photo: BgrImage, given: float, wanted: float) -> None:
    where = box(60, 60, 140, 100)
    made = with_margin(crop(photo, where, margin=given), where, wanted)
    direct = crop(photo, where, margin=wanted)
    assert made.shape == direct.shape
    if wanted <= given:
        assert np.array_equal(made, direct)


def test_a_straightened_crop_keeps_its_margin(photo: BgrImage) -> None:
    where = box(60, 60, 140, 100, corners=((60, 60), (140, 60), (140, 100), (60, 100)))
    cut = crop(photo, where)
    assert with_margin(cut, where, 0.5) is cut


@pytest.mark.parametrize(
    "xyxy",
    [(-50, -50, -10, -10), (400, 300, 500, 400), (10, 10, 10, 10), (319.5, 239.5, 330, 250), (20, 20, 10, 10)],
)
@pytest.mark.parametrize("with_corners", [False, True])
def test_crop_is_never_empty(photo: BgrImage, xyxy: tuple[float, float, float, float], with_corners: bool):
    x1, y1, x2, y2 = xyxy
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2)) if with_corners else None
    cut = crop(photo, box(*xyxy, corners=corners))
    assert cut.size > 0
    assert cut.ndim == 3


def test_level_corners_cut_like_the_box(photo: BgrImage):
    corners = ((40, 50), (140, 50), (140, 90), (40, 90))
    assert np.array_equal(crop(photo, box(40, 50, 140, 90, corners=corners)), photo[50:90, 40:140])


@pytest.mark.parametrize("angle", [-30, -10, 10, 30])
def test_tilted_text_comes_out_level(angle: float):
    """A sign with a white left and a black right half, turned: its crop is the sign again."""
    sign = np.zeros((40, 160, 3), np.uint8)
    sign[:, :80] = 255
    turn = cv2.getRotationMatrix2D((80, 20), angle, 1)
    turn[:, 2] += (80, 110)
    frame = cv2.warpAffine(sign, turn, (320, 260), borderValue=(90, 90, 90))
    edges = np.array([[0, 0, 1], [160, 0, 1], [160, 40, 1], [0, 40, 1]]) @ turn.T
    x1, y1, x2, y2 = *edges.min(0), *edges.max(0)
    cut = crop(frame, box(x1, y1, x2, y2, corners=tuple(map(tuple, edges))))
    assert abs(cut.shape[0] - 40) <= 1
    assert abs(cut.shape[1] - 160) <= 1
    assert cut[5:35, 5:70].mean() > 250
    assert cut[5:35, 90:155].mean() < 5
    wide = crop(frame, box(x1, y1, x2, y2, corners=tuple(map(tuple, edges))), margin=0.25)
    assert abs(wide.shape[0] - 60) <= 1
    assert abs(wide.shape[1] - 180) <= 1


def test_text_that_runs_downwards_is_turned():
    frame = np.zeros((200, 100, 3), np.uint8)
    frame[20:100, 30:60] = 255  # the upper half is bright: the beginning of text that reads from top to bottom
    cut = crop(frame, box(30, 20, 60, 180, corners=((30, 20), (60, 20), (60, 180), (30, 180))))
    assert cut.shape[:2] == (30, 160)
    assert cut[:, :75].mean() > 250
    assert cut[:, 85:].mean() < 5
