"""Signs outside of A-Z and 0-9 that stand on plates: they are drawn, but are no part of the text."""

from __future__ import annotations

from typing import Final

import numpy as np

from training.plates.drawing.fonts import SIGN_FONTS, glyph
from training.plates.drawing.strokes import Mask

_CHINESE, _THAI, _DEJAVU = SIGN_FONTS

#: What stands for any sign of its kind in a pattern -> font, signs. Those that look like a letter or a digit of ours
#: are left out: no reader can tell them apart.
SIGNS: Final[dict[str, tuple[str, str]]] = {
    "京": (_CHINESE, "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领学警港澳挂"),
    "가": (_CHINESE, "가나다라마거너더러머버서저고노도로모보소조구누두루무부수주바사자하허호배육해공"),
    "あ": (_CHINESE, "さすせたちつてとなにぬねのはひふほまみむめもやゆらりるれわ"),
    "品": (_CHINESE, "品川横浜名古屋大阪神戸都札幌福岡千葉埼玉広島仙台"),
    "ก": (_THAI, "กขคฆฉชซญณฐธนผพฟภมยรลศสหฬฮ"),
    "ب": (_DEJAVU, "بتجحدرسصطعفقكمنى"),
    "Ж": (_DEJAVU, "ДЖИЛФЦШЩЭЮЯ"),
}


def draw_sign(rng: np.random.Generator, kind: str) -> Mask:
    """Any sign of a kind of `SIGNS`: ink 255 on 0."""
    font, signs = SIGNS[kind]
    return glyph(font, signs[rng.integers(len(signs))])
