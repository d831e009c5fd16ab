"""Glyphs: libre fonts from Debian packages and our own strokes, cropped to the ink and of one height, as plates have
them.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.plates.drawing.strokes import HEIGHT_PX, US_VARIANTS, VARIANTS, Mask, draw_letter

#: file in FONTS_DIR -> Debian package that brings it
PACKAGES = {
    "truetype/roadgeek": "fonts-roadgeek",
    "truetype/opendin": "fonts-opendin",
    "truetype/routed-gothic": "fonts-routed-gothic",
    "truetype/osifont": "fonts-osifont",
    "truetype/open-sans": "fonts-open-sans",
    "truetype/roboto": "fonts-roboto-hinted",
    "truetype/clear-sans": "fonts-clear-sans",
    "truetype/jetbrains-mono": "fonts-jetbrains-mono",
    "truetype/oxygen": "fonts-oxygen",
    "truetype/tuffy": "fonts-tuffy",
    "truetype/liberation": "fonts-liberation",
    "truetype/dejavu": "fonts-dejavu-core",
    "truetype/freefont": "fonts-freefont-ttf",
    "truetype/adf": "fonts-adf-universalis fonts-adf-switzera fonts-adf-gillius",
    "truetype/lato": "fonts-lato",
    "truetype/wqy": "fonts-wqy-microhei",
    "truetype/tlwg": "fonts-tlwg-loma-ttf",
    "opentype/urw-base35": "fonts-urw-base35",
    "opentype/play": "fonts-play",
    "opentype/bebas-neue": "fonts-bebas-neue",
    "opentype/national-park": "fonts-national-park",
    "opentype/dosis": "fonts-dosis",
    "opentype/b612": "fonts-b612",
    "opentype/cabin": "fonts-cabin",
    "opentype/inter": "fonts-inter",
    "opentype/yanone-kaffeesatz": "fonts-yanone-kaffeesatz",
}

_STROKES = tuple(f"strokes/{number}" for number in range(VARIANTS))
_AMERICAN = tuple(f"strokes/{number}" for number in range(VARIANTS, VARIANTS + US_VARIANTS))
_ROAD = tuple(f"truetype/roadgeek/RG2014{series}.ttf" for series in ("B", "C", "D", "E", "EM"))
_MONO = ("truetype/jetbrains-mono/JetBrainsMono-Bold.ttf", "opentype/b612/B612Mono-Bold.otf")
_SANS = (
    "truetype/liberation/LiberationSans-Bold.ttf",
    "truetype/liberation/LiberationSansNarrow-Bold.ttf",
    "truetype/roboto/unhinted/RobotoCondensed-Bold.ttf",
    "truetype/open-sans/OpenSans-CondBold.ttf",
    "truetype/dejavu/DejaVuSans-Bold.ttf",
    "truetype/clear-sans/ClearSans-Bold.ttf",
    "truetype/oxygen/Oxygen-Sans-Bold.ttf",
    "truetype/tuffy/Tuffy_Bold.ttf",
    "truetype/adf/SwitzeraADF-BoldCond.otf",
    "truetype/adf/UniversalisADFStd-BoldCond.otf",
    "truetype/adf/GilliusADF-BoldCond.otf",
    "opentype/play/Play-Bold.otf",
    "opentype/cabin/Cabin-Bold.otf",
    "opentype/inter/Inter-SemiBold.otf",
    "opentype/dosis/Dosis-Bold.otf",
    "opentype/national-park/NationalPark-Heavy.otf",
)
_TECHNICAL = (
    "truetype/opendin/OSP-DIN.ttf",
    "truetype/osifont/osifont.ttf",
    "truetype/routed-gothic/routed-gothic.ttf",
    "truetype/routed-gothic/routed-gothic-narrow.ttf",
    "opentype/national-park/NationalPark-Regular.otf",
)

#: which fonts stand for the stamped letters of a style; a name may come twice to be drawn more often
GROUPS: dict[str, tuple[str, ...]] = {
    "din": _ROAD[1:4] * 3 + _TECHNICAL * 2 + _STROKES + _SANS,
    "fe": _STROKES + _MONO * 4 + _ROAD[1:3] * 2 + ("truetype/oxygen/Oxygen-Sans-Bold.ttf",) * 3,
    "wright": _STROKES + _ROAD[2:] * 4 + ("truetype/dejavu/DejaVuSans-Bold.ttf", _SANS[0], _SANS[15]) * 3,
    "die": _STROKES * 2 + _ROAD[:3] * 5 + _TECHNICAL[2:] * 4 + _SANS,
    "us": _AMERICAN * 3 + _STROKES + _ROAD[:2] * 14 + _ROAD[2:3] * 5 + _TECHNICAL[2:] * 8 + _SANS,
    "flat": _SANS
    + _ROAD
    + ("opentype/bebas-neue/BebasNeue-Bold.otf", "opentype/yanone-kaffeesatz/YanoneKaffeesatz-Bold.otf"),
    "mandatory": _STROKES + _ROAD[2:4] * 6 + _TECHNICAL[1:3] * 2 + _SANS[:4],
}
#: never trained with, see `use_held_out`
HELD_OUT = (
    "truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
    "truetype/freefont/FreeSansBold.ttf",
    "truetype/freefont/FreeMonoBold.ttf",
    "truetype/lato/Lato-Bold.ttf",
    "truetype/jetbrains-mono/JetBrainsMono-Regular.ttf",
    "truetype/open-sans/OpenSans-Semibold.ttf",
    "truetype/roadgeek/RG2014F.ttf",
    "truetype/liberation/LiberationMono-Bold.ttf",
    "truetype/adf/GilliusADF-Bold.otf",
    "opentype/urw-base35/NimbusSansNarrow-Bold.otf",
    "opentype/urw-base35/URWGothic-Demi.otf",
    "opentype/inter/Inter-Bold.otf",
    "opentype/b612/B612-Bold.otf",
    "opentype/cabin/Cabin-SemiBold.otf",
    "opentype/dosis/Dosis-SemiBold.otf",
)
#: for signs outside of A-Z and 0-9, see `signs`
SIGN_FONTS = (
    "truetype/wqy/wqy-microhei.ttc",
    "truetype/tlwg/Loma-Bold.ttf",
    "truetype/dejavu/DejaVuSans-Bold.ttf",
)
#: for names, slogans and advertisements, which are not part of the text
CAPTIONS = (
    *_SANS,
    "truetype/liberation/LiberationSerif-Bold.ttf",
    "truetype/liberation/LiberationSerif-BoldItalic.ttf",
    "truetype/freefont/FreeSerifBoldItalic.ttf",
    "truetype/lato/Lato-BlackItalic.ttf",
    "opentype/urw-base35/Z003-MediumItalic.otf",
    "opentype/urw-base35/Z003-MediumItalic.otf",
    "opentype/urw-base35/URWBookman-DemiItalic.otf",
    "opentype/urw-base35/URWGothic-Demi.otf",
)


def use_held_out() -> None:
    """From here on, in this process, plates are drawn in letters that nothing was trained with."""
    for name in GROUPS:
        GROUPS[name] = HELD_OUT


def fonts_dir() -> Path:
    return Path(os.environ.get("TRAINING_FONTS_DIR", "/usr/share/fonts"))


def check_fonts() -> None:
    """See that all fonts are there.

    Raises:
        FileNotFoundError: names the Debian packages to install.
    """
    wanted = {
        name
        for group in (*GROUPS.values(), HELD_OUT, SIGN_FONTS, CAPTIONS)
        for name in group
        if not name.startswith("strokes/")
    }
    missing = {
        PACKAGES[name.rsplit("/", 1)[0].removesuffix("/unhinted")]
        for name in wanted
        if not (fonts_dir() / name).is_file()
    }
    if missing:
        raise FileNotFoundError(
            f"fonts are missing in {fonts_dir()}: apt-get install {' '.join(sorted(missing))} "
            "(or set TRAINING_FONTS_DIR to the folder that has truetype/ and opentype/)"
        )


@lru_cache(8192)
def glyph(font: str, char: str) -> Mask:
    """One character: ink 255 on 0, cropped to the ink, stretched to `HEIGHT_PX` high."""
    if font.startswith("strokes/"):
        return draw_letter(int(font.removeprefix("strokes/")), char)
    mask = _rendered(font, char, HEIGHT_PX + 26)
    width = max(round(mask.shape[1] * HEIGHT_PX / mask.shape[0]), 3)
    return np.asarray(cv2.resize(mask, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(8192)
def caption(font: str, text: str, height_px: int = 28) -> Mask:
    """A line of text: ink 255 on 0, cropped to the ink."""
    return _rendered(font, text, height_px)


def _rendered(font: str, text: str, size_px: int) -> Mask:
    loaded = _font(font, size_px)
    left, top, right, bottom = loaded.getbbox(text)
    image = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    ImageDraw.Draw(image).text((2 - left, 2 - top), text, font=loaded, fill=255)
    mask = np.asarray(image)
    ys, xs = np.nonzero(mask > 60)
    return mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]


@lru_cache(256)
def _font(font: str, size_px: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(str(fonts_dir() / font), size_px)
    except OSError:
        check_fonts()
        raise
