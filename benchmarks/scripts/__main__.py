"""`python -m benchmarks.scripts`: of which scripts lines are marked as not read, and how many are that wrongly.

Draws signs, each with lines of one script in fonts of this machine (`--fonts` names what their paths hold), finds and
reads their lines as the pipeline `text` does, and counts. With PHOTOS, a folder as `benchmarks.accuracy` reads it, it
counts the marks on those.
"""

from __future__ import annotations

import argparse
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.truth import read_photos
from sightline.settings import load_settings
from sightline.types import Detection, Reading
from workers.detectors import Detector, open_detector
from workers.pixels.images import BgrImage, crop, decode, use_one_thread
from workers.recognizers import Recognizer, open_recognizer
from workers.recognizers.scripts import LINE_CONFIDENCE

_SIZE = (960, 540)
_WORDS = {
    "Latin": "Exit Pharmacy Willkommen Straße überholen Sortie fermé Château Ausfahrt SCHOOL WARNING Lift Zażółć gęślą "
    "žluťoučký kůň Árvíztűrő çıkış Saída Coração mañana Tromsø human beings born free Total 12.50 www.example.com",
    "Chinese": "出口 药店 注意 街道 北京 上海 欢迎光临 面包 牛奶 禁止停车 医院 学校 银行 火车站 營業中 台北車站",
    "Japanese": "出口 薬局 注意 東京 ようこそ パン ミルク チーズ 駐車禁止 えきまえ コーヒー ラーメン 営業中 おおさか",
    "Greek": "Έξοδος Φαρμακείο Προσοχή οδός Αθήνα Θεσσαλονίκη Καλημέρα κόσμε Ψωμί γάλα σήμερα ΣΤΑΣΗ ΕΣΤΙΑΤΟΡΙΟ ΤΡΑΠΕΖΑ",
    "Cyrillic": "Выход Аптека Продукты Осторожно двери закрываются улица Ленина Стоянка запрещена Хлеб Київ щодня "
    "Ћирилица Същност площад ШКОЛА ВНИМАНИЕ ЛИФТ НЕ РАБОТАЕТ ЦЕНТР",
    "Arabic": "خروج صيدلية انتبه شارع القاهرة مرحبا خبز حليب ممنوع الوقوف مستشفى مدرسة محطة القطار اليوم تهران خیابان",
    "Hebrew": "יציאה מרקחת זהירות רחוב ירושלים שלום לחם חלב גבינה חניה בית ספר בנק תחנת רכבת היום",
    "Korean": "출구 약국 주의 서울 부산 거리 안녕하세요 우유 "
    "주차금지 병원 학교 은행 기차역 오늘 대한민국 버스 정류장 식당",
    "Thai": "ทางออก ร้านขายยา ระวัง ถนน กรุงเทพ สวัสดี ขนมปัง ห้ามจอด โรงพยาบาล โรงเรียน ธนาคาร สถานีรถไฟ ร้านอาหาร เปิด",
    "Devanagari": "निकास दवाखाना सावधान सड़क दिल्ली मुंबई नमस्ते रोटी दूध अस्पताल विद्यालय बैंक रेलवे स्टेशन आज",
    "Bengali": "প্রস্থান ফার্মেসি সাবধান রাস্তা ঢাকা কলকাতা নমস্কার রুটি হাসপাতাল বিদ্যালয় ব্যাংক আজ",
    "Georgian": "გასასვლელი აფთიაქი ყურადღება ქუჩა თბილისი გამარჯობა პური რძე ყველი სკოლა ბანკი დღეს",
    "Armenian": "Ելք Դեղատուն Զգուշացում փողոց Երևան Բարև հաց կաթ պանիր դպրոց բանկ այսօր",
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scripts", description=__doc__)
    parser.add_argument(
        "photos", nargs="?", type=Path, help="folder of photos with a truth.tsv, or folders that have one"
    )
    parser.add_argument("--signs", type=int, default=20, help="of each script, with three lines each (20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fonts", nargs="*", default=[""], help="fonts whose path has one of these (all)")
    given = parser.parse_args(arguments)
    use_one_thread()
    settings = load_settings()
    reader = Reader(open_detector("ppocr-text", settings), open_recognizer(settings), settings.min_reading_confidence)
    table = Table("script", "fonts", "lines found", "not read, %", "read, %", "nothing, %")
    if given.photos:
        images = (decode(photo.path.read_bytes(), max_mpx=100) for photo in read_photos(given.photos))
        table.add_row("photos", "", *counted(reader, images))
    for script in () if given.photos else _WORDS:
        if fonts := fonts_of(script, given.fonts):
            rng = random.Random(f"{given.seed} {script}")
            table.add_row(
                script, str(len(fonts)), *counted(reader, (sign(script, fonts, rng) for _ in range(given.signs)))
            )
    Console().print(table)
    return 0


class Reader:
    """The models of `text`."""

    def __init__(self, detector: Detector, recognizer: Recognizer, least: float) -> None:
        self._detector, self._recognizer, self._least = detector, recognizer, least

    def read(self, image: BgrImage) -> Iterator[tuple[Detection, Reading | None]]:
        (found,) = self._detector.detect([image])
        for box, reading in zip(found, self._recognizer.recognize([crop(image, box) for box in found]), strict=True):
            unread = reading.unread and box.confidence >= LINE_CONFIDENCE
            is_kept = unread or (reading.text and reading.confidence >= self._least)
            yield box, reading.model_copy(update={"unread": "script" if unread else None}) if is_kept else None


def counted(reader: Reader, images: Iterator[BgrImage]) -> tuple[str, ...]:
    lines = [reading for image in images for _, reading in reader.read(image)]
    marked = sum(bool(one and one.unread) for one in lines)
    nothing = sum(one is None for one in lines)
    parts = (marked, len(lines) - marked - nothing, nothing)
    return str(len(lines)), *(f"{100 * part / max(1, len(lines)):.1f}" for part in parts)


def fonts_of(script: str, wanted: Sequence[str]) -> list[str]:
    """Those that have all letters of a script's words."""
    letters = " ".join(f"{ord(char):x}" for char in sorted(set(_WORDS[script].replace(" ", ""))))
    listed = subprocess.run(["fc-list", f":charset={letters}", "file"], capture_output=True, text=True, check=True)
    files = sorted(line.rstrip(": ") for line in listed.stdout.splitlines())
    return [file for file in files if file.endswith((".ttf", ".otf", ".ttc")) and any(one in file for one in wanted)]


def sign(script: str, fonts: Sequence[str], rng: random.Random) -> BgrImage:
    """Three lines on a plain board in a room of soft shapes, out of focus, noisy, as JPEG."""
    pixels = np.random.default_rng(rng.randrange(1 << 30))
    width, height = _SIZE
    soft = cv2.resize(pixels.uniform(40, 220, (4, 7, 3)), _SIZE, interpolation=cv2.INTER_CUBIC)
    image = Image.fromarray(np.clip(soft, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    ground = rng.randrange(256)
    ink = ground + rng.choice((-1, 1)) * rng.randrange(90, 200)
    ink = ink if 0 <= ink <= 255 else 2 * ground - ink
    draw.rectangle((40, 30, width - 40, height - 30), fill=_tint(ground, rng))
    for row in range(3):
        text = " ".join(rng.choice(_WORDS[script].split()) for _ in range(rng.randrange(1, 4)))
        font = ImageFont.truetype(rng.choice(fonts), rng.randrange(18, 56))
        draw.text((rng.randrange(60, 160), 60 + 150 * row), text, font=font, fill=_tint(ink, rng))
    blurred = cv2.GaussianBlur(np.asarray(image)[:, :, ::-1], (0, 0), rng.uniform(0.3, 1.4))
    noisy = np.clip(blurred + pixels.normal(0, rng.uniform(0, 8), blurred.shape), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, rng.randrange(45, 95)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _tint(gray: int, rng: random.Random) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, gray + rng.randrange(-25, 26))) for _ in range(3))
    return red, green, blue


if __name__ == "__main__":
    raise SystemExit(main())
