"""Plate styles as data: sizes, colors, patterns. A new country is one more line.

A pattern says what stands on a plate: `A` a letter, `9` a digit, `?` either, a small letter that very letter; ` ` a gap,
`-` a hyphen, `.` a dot, `*` a seal or symbol, `/` a new line; `[AA]` small characters one above the other that are part of
the text, `{AAA}` such that are not; a key of `signs.SIGNS` any sign of its kind, which is not. Separators are never part
of the text.
"""

from __future__ import annotations

from typing import NamedTuple

Color = tuple[int, int, int]  # B, G, R

WHITE, PALE, GREY, YELLOW = (242, 244, 245), (228, 232, 232), (178, 180, 180), (30, 190, 245)
BLACK, BLUE, GREEN, RED, ORANGE = (30, 28, 28), (150, 62, 24), (62, 110, 24), (45, 40, 185), (40, 120, 235)
EU_BLUE = (160, 62, 18)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Style(NamedTuple):
    name: str
    patterns: tuple[str, ...]
    font: str = "din"  #: group in fonts.GROUPS
    size_mm: tuple[int, int] = (520, 112)
    two_line_mm: tuple[int, int] = (300, 220)  #: for patterns with `/`
    background: tuple[Color, ...] = (WHITE,)
    ink: tuple[Color, ...] = (BLACK,)
    band: str = ""  #: letters in the band on the left; empty: no band
    band_color: Color = EU_BLUE
    band_chance: float = 0.8  #: older plates have none
    right_band: bool = False
    letters: str = LETTERS
    char_height: float = 0.68  #: of the plate's height
    char_width: tuple[float, float] = (0.52, 0.66)  #: of the char's height
    center_y: float = 0.5  #: of the line of characters
    captions: tuple[str, ...] = ()  #: written above, like a state or a city
    slogans: tuple[str, ...] = ()  #: written below
    picture: float = 0.0  #: chance of graphics behind the characters
    top_band: tuple[Color, ...] = ()  #: colored strips on top
    radius: float = 0.1  #: of the corners, of the plate's height
    border: float = 0.8  #: chance of a line along the edge
    weight: float = 1.0


def _eu(code: str, band: str, *patterns: str, **more: object) -> Style:
    return Style(f"eu/{code}", patterns, band=band, **more)  # pyright: ignore[reportArgumentType]


_NO_IO = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_EU = [
    _eu("de", "D", "A*AA 999", "A*AA 9999", "AA*A 999", "AA*AA 99", "AA*AA 999", "AAA*A 99", "AAA*AA 99", "A*A 9999",
        "AA*A 9999", "AAA*A 999", "AA*AA 9e", "A*AA 99h", "AA/*AA 99", "A/*AA 999", "AAA/*A 99", "A-AA 999", "AA-A 99", font="fe", weight=2.5),
    _eu("fr", "F", "AA-999-AA", "AA-999-AA", "AA-999/AA", "999 AAA 99", "9999 AA 99", right_band=True, letters=_NO_IO, weight=2),
    _eu("it", "I", "AA 999AA", "AA*999AA", "AA999/AA", "AA 99999", right_band=True, letters=_NO_IO, weight=1.5),
    _eu("es", "E", "9999 AAA", "9999/AAA", "A 9999 AA", "AA 9999 A", letters="BCDFGHJKLMNPRSTVWXYZ", weight=1.5),
    _eu("pl", "PL", "AA*99999", "AA*9999A", "AAA*9999", "AAA*AA99", "AAA*99AA", "AAA*A999", "AA 999AA", "AA/99999", "AAA/A999", weight=1.5),
    _eu("sk", "SK", "AA*999AA", "AA-999AA", "AA*-999AA", "AA-999AA", "AA999AA", weight=2.5),
    _eu("cz", "CZ", "9A9*9999", "9A9 9999", "9AA*9999", "AAA 99-99", "AAA*99-99", "AA 99-99", "9A9/9999", weight=2.5),
    _eu("nl", "NL", "99-AA-AA", "AA-999-A", "9-AAA-99", "A-999-AA", "99-AAA-9", "AA-99-99", "AA-AA-99", "999-AA-9", "99-AA/AA",
        background=(YELLOW,), letters="BDFGHJKLNPRSTVXZ", weight=1.5),
    _eu("be", "B", "9-AAA-999", "AAA-999", "999-AAA", "9-AAA/999", ink=(RED,), weight=1.2),
    _eu("at", "A", "AA*999AA", "A*99999A", "AA*99AAA", "AA 999AA", "A*9999AA", "AA/999AA", top_band=(RED,), weight=1.2),
    _eu("ch", "", "AA*999999", "AA*99999", "AA 9999", "AA·99999".replace("·", "."), "AA/99999", char_height=0.7, weight=1.0),
    _eu("hu", "H", "AAA-999", "AA AA-999", "AAA*999", "AAA/999"),
    _eu("ro", "RO", "A 999 AAA", "AA 99 AAA", "A 99 AAA", "AA-99-AAA", "AA 99/AAA"),
    _eu("bg", "BG", "A 9999 AA", "AA 9999 AA", "AA9999AA", letters="ABCEHKMOPTXY"),
    _eu("hr", "HR", "AA*999-AA", "AA*9999-A", "AA*999-A", "AA 999-AA"),
    _eu("si", "SLO", "AA*AA-999", "AA*99-AAA", "AA*A9-99A", "AA*999-AA", ink=(BLACK, GREEN), border=1.0),
    _eu("rs", "SRB", "AA*999-AA", "AA 9999-AA"),
    _eu("pt", "P", "99-AA-99", "AA-99-99", "99-99-AA", "AA-99-AA", "AA 99 AA", letters=_NO_IO),
    _eu("se", "S", "AAA 999", "AAA 99A", "AAA999", letters="ABCDEFGHJKLMNOPRSTUWXYZ"),
    _eu("no", "N", "AA 99999", "AA 9999", "AA/99999", letters="ABCDEFHJKLNPRSTUVXYZ"),
    _eu("dk", "DK", "AA 99 999", "AA 99999", "AA/99 999", ink=(BLACK,), border=1.0),
    _eu("fi", "FIN", "AAA-999", "AA-999", "AAA-99", "AAA/999"),
    _eu("ee", "EST", "999 AAA", "999AAA"),
    _eu("lv", "LV", "AA-9999", "AA-999", "AA/9999"),
    _eu("lt", "LT", "AAA 999", "AAA:999".replace(":", "*"), "AAA/999"),
    _eu("gr", "GR", "AAA-9999", "AAA 9999", "AAA/9999", letters="ABEHIKMNOPTXYZ"),
    _eu("ie", "IRL", "99-A-9999", "999-A-99999", "99-AA-999", "999-AA-9999", "99 A 99999"),
    _eu("lu", "L", "AA 9999", "9999 AA", "99999", background=(YELLOW,)),
    _eu("ua", "UA", "AA 9999 AA", "AA9999AA", "AA 99/99 AA", letters="ABCEHIKMOPTX"),
    _eu("tr", "TR", "99 AA 999", "99 AAA 99", "99 A 9999", "99 AAA 999", "99 AA/999"),
    _eu("vanity", "", "AAAAA", "AAAAAA", "A*AAAAA", "A-AAA", "AA 9A9-AA", "AAA AAAA", "A9-AAA", "AAAAAAA", "AAA 9", weight=0.8),
]  # fmt: skip
_UK = [
    Style("uk/front", ("AA99 AAA", "AA99 AAA", "A999 AAA", "AAA 999A", "AA99/AAA", "A9 AAA", "99 AA", "AAA 9999"), "wright",
          background=(WHITE, PALE), band="GB", band_chance=0.5, letters="ABCDEFGHJKLMNOPRSTUVWXYZ", char_height=0.71,
          char_width=(0.58, 0.66), slogans=("CAR SALES LTD", "www.motors.co.uk", "HILLSIDE GARAGE"), border=0.3, weight=1.6),
    Style("uk/rear", ("AA99 AAA", "AA99 AAA", "A999 AAA", "AAA 999A", "AA99/AAA"), "wright", background=(YELLOW,), band="UK",
          band_chance=0.5, letters="ABCDEFGHJKLMNOPRSTUVWXYZ", char_height=0.71, char_width=(0.58, 0.66), border=0.3, weight=1.6),
    Style("uk/old", ("AAA 999", "AAA 999A", "AA 9999", "9 A"), "wright", background=(BLACK,), ink=(GREY, WHITE), char_height=0.71, weight=0.4),
]  # fmt: skip

_CITIES = ("BA - SALVADOR", "SP - SAO PAULO", "RJ - RIO DE JANEIRO", "MG - BELO HORIZONTE", "PR - CURITIBA", "ES - VITORIA", "GO - GOIANIA",
           "SP DIADEMA", "BA - FEIRA DE SANTANA", "RS - PORTO ALEGRE", "PE - RECIFE", "CE - FORTALEZA", "SC - JOINVILLE", "BA - LAURO DE FREITAS",
           "DF - BRASILIA", "MG - UBERLANDIA", "BA - CAMACARI", "SE - ARACAJU", "SP - CAMPINAS", "PA - BELEM")  # fmt: skip
_BR = [
    Style("br/old", ("AAA-9999", "AAA.9999", "AAA.9999"), "mandatory", (400, 130), background=(GREY, PALE, (196, 200, 200)),
          captions=_CITIES, char_height=0.5, char_width=(0.66, 0.86), center_y=0.62, border=0.5, weight=5),
    Style("br/taxi", ("AAA-9999", "AAA.9999"), "mandatory", (400, 130), background=(RED, (60, 60, 200)), ink=(WHITE,), captions=_CITIES,
          char_height=0.5, char_width=(0.66, 0.86), center_y=0.62, weight=0.8),
    Style("br/motorcycle", ("AAA/9999",), "mandatory", two_line_mm=(200, 170), background=(GREY, PALE), captions=_CITIES, weight=1),
    Style("br/mercosul", ("AAA9A99", "AAA9A99", "AAA 9A99"), "fe", (400, 130), ink=(BLACK, BLACK, BLUE, RED, GREEN), captions=("BRASIL",),
          top_band=(BLUE,), char_height=0.52, char_width=(0.62, 0.76), center_y=0.6, weight=3.5),
    Style("br/mercosul-motorcycle", ("AAA/9A99",), "fe", two_line_mm=(200, 170), captions=("BRASIL",), top_band=(BLUE,), weight=0.8),
    Style("ar/mercosur", ("AA 999 AA", "AA999AA", "A/999AAA"), "fe", (400, 130), captions=("REPUBLICA ARGENTINA",), top_band=(BLUE,),
          char_height=0.52, char_width=(0.58, 0.72), center_y=0.6, weight=1),
    Style("ar/old", ("AAA 999", "AAA*999"), "fe", (294, 129), background=(BLACK,), ink=(WHITE,), captions=("ARGENTINA",), char_height=0.5,
          center_y=0.56, weight=0.7),
    Style("co/co", ("AAA 999", "AAA*999", "AAA-999"), "die", (330, 160), background=(YELLOW, WHITE), slogans=("BOGOTA D.C.", "MEDELLIN", "CALI"),
          char_height=0.52, center_y=0.44, weight=0.6),
    Style("cl/cl", ("AAAA-99", "AA.AA*99", "AA 9999"), "fe", (360, 130), slogans=("CHILE",), char_height=0.6, center_y=0.46, weight=0.6),
    Style("mx/mx", ("AAA-999-A", "AAA-99-99", "999-AAA", "A-999-AAA"), "die", (300, 150), captions=("MEXICO", "JALISCO", "NUEVO LEON", "PUEBLA"),
          slogans=("DELANTERA", "TRASERA MEXICO"), char_height=0.44, char_width=(0.45, 0.58), picture=0.6, weight=0.8),
]  # fmt: skip
_OTHER = [
    Style("au/au", ("AAA 999", "AAA*99A", "9AA 9AA", "999*AAA", "AAA-999"), "die", (372, 134), background=(WHITE, YELLOW, BLACK), ink=(BLACK, BLUE, RED, GREEN),
          captions=("VICTORIA", "QUEENSLAND", ""), slogans=("NSW", "THE EDUCATION STATE", "SUNSHINE STATE", ""), char_height=0.55, weight=1),
    Style("nz/nz", ("AAA999", "AA9999"), "die", (360, 125), weight=0.5),
    Style("za/za", ("AA 99 AA gp", "AAA 999 gp", "ca 999-999", "AA99AAgp", "nd 999-999"), "din", (520, 112), ink=(BLACK, BLUE, GREEN), weight=0.8),
    Style("in/in", ("AA 99 AA 9999", "AA99AA9999", "AA99A9999", "AA 99/AA 9999", "AA99/AA9999"), "flat", (500, 120), two_line_mm=(340, 200),
          background=(WHITE, WHITE, YELLOW), band="IND", band_chance=0.4, char_width=(0.45, 0.62), weight=1.5),
    Style("my/my", ("AAA 9999", "AAA 999", "AA 9999 A", "A 9999", "AAA/9999"), "flat", (520, 112), background=(BLACK,), ink=(WHITE,), border=0.2, weight=0.8),
    Style("sg/sg", ("AAA 9999 A", "AA 9999 A", "AAA/9999A"), "wright", (520, 112), background=(BLACK, WHITE, YELLOW), ink=(WHITE, BLACK, BLACK), weight=0.8),
    Style("ae/ae", ("A 99999", "99 99999", "AA 9999", "A/99999"), "flat", (520, 112), captions=("",), slogans=("DUBAI", ""), weight=0.4),
    Style("il/il", ("99-999-99", "999-99-999", "99-999/99"), "din", (520, 112), background=(YELLOW,), band="IL", weight=0.7),
    Style("id/id", ("A 9999 AA", "AA 9999 AA", "A 9999 AAA"), "flat", (430, 135), background=(BLACK, WHITE), ink=(WHITE, BLACK), slogans=("09.27", "11.25"),
          char_height=0.5, center_y=0.42, weight=0.6),
    Style("th/digits", ("9?? 9999", "99 9999"), "die", (340, 150), char_height=0.5, center_y=0.42, slogans=("BANGKOK",), weight=0.3),
    Style("ph/ph", ("AAA 9999", "AAA 999", "AA/99999"), "die", (390, 140), slogans=("PILIPINAS", "MATATAG NA REPUBLIKA"), ink=(BLACK, GREEN),
          char_height=0.6, center_y=0.44, weight=0.5),
    Style("th/th", ("ก 9999", "กก 9999", "9กก 9999", "กก 999", "กก/9999"), "die", (340, 150), two_line_mm=(220, 170), char_height=0.5, center_y=0.42,
          slogans=("BANGKOK", ""), weight=0.7),
    Style("cn/blue", ("京A*99999", "京A.99999", "京A*A9999", "京A*9999A", "京A.A99A9"), "flat", (440, 140), background=(BLUE, (170, 80, 20)), ink=(WHITE,),
          letters=_NO_IO, char_height=0.64, char_width=(0.46, 0.54), weight=1.4),
    Style("cn/other", ("京A.99999", "京A/99999", "京A*A99999", "京A.9999京"), "flat", (440, 140), two_line_mm=(440, 220),
          background=(YELLOW, (150, 210, 130), WHITE, BLACK), ink=(BLACK, BLACK, BLACK, WHITE), letters=_NO_IO, char_height=0.64,
          char_width=(0.44, 0.54), weight=0.8),
    Style("kr/kr", ("99가 9999", "999가 9999", "99가/9999", "가가99/가9999"), "flat", (520, 110), two_line_mm=(335, 170),
          background=(WHITE, WHITE, YELLOW, (90, 140, 60)), ink=(BLACK, BLACK, BLACK, WHITE), char_width=(0.46, 0.6), weight=1.2),
    Style("jp/jp", ("品品 999/あ 99-99", "品品 99/あ 99-99", "品品 999/あ 9-99"), "flat", two_line_mm=(330, 165), background=(WHITE, YELLOW, GREEN),
          ink=((60, 110, 20), BLACK, WHITE), weight=0.7),
    Style("arab/arab", ("999 ب 99999", "99 بب 9999", "بب 99/99999", "9 بب 999", "99999 ب"), "flat", (520, 112), two_line_mm=(300, 170), weight=0.6),
    Style("kz/cyrillic", ("9999 ЖЖ", "99 ЖЖ 999", "9999 ЖЖЖ", "999 ЖA 99"), "din", (520, 112), letters="ABCEHKMOPTXY", weight=0.4),
    Style("ng/ng", ("AAA-999AA", "AAA 999 AA", "AAA-999*AA"), "die", (440, 140), captions=("LAGOS", "ABUJA FCT", "RIVERS"), slogans=("CENTRE OF EXCELLENCE",),
          ink=(BLUE, BLACK, RED), char_height=0.5, char_width=(0.5, 0.62), picture=0.4, weight=0.6),
    Style("ru/ru", ("A999AA 99", "A999AA 999", "A 999 AA/99"), "din", (520, 112), letters="ABCEHKMOPTXY", slogans=("",), char_height=0.6, weight=0.8),
    Style("any/any", ("??????", "???????", "??? ???", "??? ????", "???? ???", "??/????", "???/???", "????/???", "????", "?????", "????????",
                      "?? ??? ??", "??-??-??", "[AA]99999", "999999"), "die", (400, 120), background=(WHITE, PALE, GREY, YELLOW, BLACK, RED, BLUE, GREEN, ORANGE),
          ink=(BLACK, WHITE, BLUE, RED, GREEN, BLACK, BLACK), char_height=0.6, char_width=(0.42, 0.7), picture=0.2, weight=3),
]  # fmt: skip

_STATE_PATTERNS: dict[str, tuple[str, ...]] = {
    "california": ("9AAA999", "9AAA999", "9AAA999", "9AAA999", "99999A9", "9A99999"),
    "texas": ("AAA*9999", "AAA*9999", "AA9*A999", "AAA*999", "99A*AA9", "A99*AAA"),
    "3*3": ("AAA*999", "999*AAA", "AA9*A9A", "AAA 999", "AA9*9AA", "A99*9AA"),
    "florida": ("AA9*A9A", "A99*9AA", "AAA*A99", "999*AAA", "AAA*99A", "???*???"),
    "missouri": ("AA9*A9A", "AA9*A9A", "AA9*A9A", "9AA*999", "99A*9AA", "999*AAA"),
    "arizona": ("AAA9999", "AAA9999", "999*AAA", "AAA*999", "A9A9AA"),
    "3 4": ("AAA 9999", "AAA-9999", "AAA*9999", "AAA9999"),
    "illinois": ("999 9999", "A99 9999", "AA 99999", "999*9999", "9999999"),
    "any": (
        "AAA*999",
        "AAA 9999",
        "999 AAA",
        "AA 99999",
        "999999",
        "99-99999",
        "9AA 999",
        "99A*999",
        "A99 999",
        "9999 AA",
        "AAA-999",
        "AA9*A9A",
        "99A*9AA",
        "9AA*999",
        "99*AA99",
        "A999999",
        "AA-9999",
        "9A9999",
        "AAA9999",
    ),
    "stacked": ("[AA]99999", "99999[AA]", "9999[AA]", "{AAA}99999", "[AA] 9999", "99A99{AAA}"),
}
# name, slogan, plates' patterns, background, ink, has a picture behind, colored strips on top
_STATES: list[tuple[str, str, str, Color, Color, float, tuple[Color, ...]]] = [
    ("Alabama", "Heart of Dixie", "any", WHITE, BLACK, 0.8, ()),
    ("Alaska", "The Last Frontier", "3*3", YELLOW, BLUE, 0.5, ()),
    ("ARIZONA", "GRAND CANYON STATE", "arizona", (205, 205, 150), (90, 40, 30), 1.0, ()),
    ("Arkansas", "The Natural State", "3*3", WHITE, BLACK, 0.8, ()),
    ("California", "dmv.ca.gov", "california", WHITE, BLUE, 0.05, ()),
    ("California", "", "california", WHITE, (110, 60, 40), 0.05, ()),
    ("COLORADO", "", "3*3", (70, 90, 30), WHITE, 0.9, ()),
    ("Connecticut", "Constitution State", "any", (220, 180, 120), BLUE, 0.4, ()),
    ("DELAWARE", "THE FIRST STATE", "any", (110, 50, 10), YELLOW, 0.1, ()),
    ("Florida", "SUNSHINE STATE", "florida", WHITE, GREEN, 1.0, ()),
    ("MYFLORIDA.COM", "SUNSHINE STATE", "florida", WHITE, (70, 80, 30), 1.0, ()),
    ("MYFLORIDA.COM", "IN GOD WE TRUST", "florida", WHITE, (70, 80, 30), 1.0, ()),
    ("Georgia", "...on my mind", "3 4", WHITE, BLACK, 0.9, ()),
    ("HAWAII", "ALOHA STATE", "any", WHITE, BLACK, 1.0, ()),
    ("Idaho", "Famous Potatoes", "any", (215, 200, 190), BLUE, 0.9, (RED,)),
    ("Illinois", "Land of Lincoln", "illinois", WHITE, RED, 0.9, ()),
    ("INDIANA", "IN GOD WE TRUST", "any", (210, 190, 180), BLUE, 0.8, ()),
    ("IOWA", "POLK", "3*3", (225, 205, 180), BLUE, 0.7, ()),
    ("KANSAS", "", "3*3", (225, 200, 160), BLUE, 0.5, ()),
    ("Kentucky", "UNBRIDLED SPIRIT", "3*3", (230, 210, 180), BLUE, 0.6, ()),
    ("Louisiana", "Sportsman's Paradise", "3*3", WHITE, BLUE, 0.7, ()),
    ("Maine", "Vacationland", "any", PALE, (60, 70, 30), 0.8, ()),
    ("Maryland", "", "3*3", WHITE, BLACK, 0.8, ()),
    ("Massachusetts", "The Spirit of America", "any", WHITE, RED, 0.4, ()),
    ("Michigan", "Great Lakes", "3*3", WHITE, BLUE, 0.3, (BLUE,)),
    ("Minnesota", "10,000 lakes", "any", (220, 200, 170), BLUE, 0.9, ()),
    ("Mississippi", "HINDS", "3*3", PALE, BLACK, 0.6, ()),
    ("MISSOURI", "SHOW-ME STATE", "missouri", WHITE, BLUE, 0.6, (BLUE,)),
    ("Missouri", "SHOW-ME STATE", "missouri", (215, 220, 205), (90, 50, 20), 0.8, ()),
    ("Montana", "TREASURE STATE", "any", (150, 80, 30), WHITE, 0.6, ()),
    ("NEBRASKA", "www.nebraska.gov", "3*3", WHITE, BLACK, 0.7, ()),
    ("NEVADA", "THE SILVER STATE", "any", (220, 190, 160), BLUE, 0.9, ()),
    ("New Hampshire", "LIVE FREE OR DIE", "any", (215, 220, 200), GREEN, 0.8, ()),
    ("New Jersey", "Garden State", "3*3", (150, 225, 235), BLACK, 0.2, ()),
    ("NEW MEXICO USA", "Land of Enchantment", "any", YELLOW, RED, 0.4, ()),
    ("NEW YORK", "EMPIRE STATE", "3 4", WHITE, BLUE, 0.3, (BLUE,)),
    ("NEW YORK", "EMPIRE STATE", "3 4", ORANGE, BLUE, 0.2, (BLUE,)),
    ("NORTH CAROLINA", "First in Flight", "3 4", WHITE, BLUE, 0.8, ()),
    ("North Dakota", "Peace Garden State", "3*3", (210, 220, 225), BLACK, 0.9, ()),
    ("Ohio", "Birthplace of Aviation", "3 4", WHITE, (120, 40, 30), 0.5, (RED,)),
    ("OKLAHOMA", "NATIVE AMERICA", "3*3", (225, 210, 190), BLACK, 0.7, ()),
    ("Oregon", "", "any", (225, 205, 195), (90, 50, 40), 1.0, ()),
    ("PENNSYLVANIA", "visitPA.com", "3 4", WHITE, (120, 50, 30), 0.2, (BLUE, YELLOW)),
    ("Rhode Island", "Ocean State", "any", WHITE, BLUE, 0.7, ()),
    ("South Carolina", "Smiling Faces. Beautiful Places.", "3*3", (215, 215, 200), BLACK, 0.8, ()),
    ("South Dakota", "Great Faces. Great Places.", "any", (225, 215, 200), BLUE, 0.9, ()),
    ("TENNESSEE", "The Volunteer State", "3*3", (195, 220, 190), (50, 60, 20), 0.8, ()),
    ("TEXAS", "The Lone Star State", "texas", WHITE, BLACK, 0.1, ()),
    ("TEXAS", "", "texas", WHITE, BLUE, 0.9, ()),
    ("UTAH", "LIFE ELEVATED", "any", WHITE, BLACK, 0.9, ()),
    ("Vermont", "Green Mountain State", "3*3", (60, 85, 20), WHITE, 0.2, ()),
    ("VIRGINIA", "", "3 4", WHITE, BLUE, 0.2, ()),
    ("WASHINGTON", "EVERGREEN STATE", "3 4", (225, 210, 200), BLUE, 0.8, ()),
    ("WEST VIRGINIA", "Wild, Wonderful", "any", WHITE, BLUE, 0.2, (BLUE, YELLOW)),
    ("Wisconsin", "America's Dairyland", "3*3", WHITE, BLACK, 0.6, ()),
    ("WYOMING", "", "any", WHITE, (90, 50, 30), 1.0, ()),
    ("Washington DC", "TAXATION WITHOUT REPRESENTATION", "any", WHITE, BLUE, 0.3, (BLUE,)),
    ("Ontario", "YOURS TO DISCOVER", "3 4", WHITE, BLUE, 0.2, ()),
    ("Beautiful British Columbia", "", "3*3", WHITE, BLUE, 0.4, ()),
    ("Alberta", "Wild Rose Country", "3 4", WHITE, RED, 0.2, ()),
    ("Quebec", "Je me souviens", "any", WHITE, BLUE, 0.2, ()),
]
_MORE_OFTEN = {
    "California": 3.0,
    "TEXAS": 3.0,
    "Florida": 2.5,
    "MYFLORIDA.COM": 4.0,
    "NEW YORK": 2.0,
    "Illinois": 2.0,
    "Ohio": 2.0,
    "Missouri": 2.0,
    "MISSOURI": 1.5,
    "ARIZONA": 1.5,
}
_VANITY = (
    "AAAAAAA",
    "AAAAAA",
    "AAAAA",
    "AAAA9",
    "A9AAA",
    "???????",
    "??????",
    "AAA AAA",
    "AAAAAA0",
    "AAAA 9A",
    "99999",
    "AAAA",
)


def _states() -> list[Style]:
    found: list[Style] = []
    for name, slogan, kind, background, ink, picture, top_band in _STATES:
        code = f"us/{name.lower().replace(' ', '-')}-{len(found)}"
        patterns = (
            _STATE_PATTERNS[kind] * 4 + _STATE_PATTERNS["stacked"][: 1 if kind == "california" else 3] + _VANITY[:5]
        )
        found.append(
            Style(code, patterns, "us", (305, 152), background=(background,), ink=(ink,), captions=(name,),
                  slogans=(slogan,) if slogan else (), char_height=0.46, char_width=(0.4, 0.54), center_y=0.53, picture=picture,
                  top_band=top_band, radius=0.1, border=0.3, weight=_MORE_OFTEN.get(name, 1.0) * 0.5)
        )  # fmt: skip
    other = [PALE, WHITE, (190, 215, 170), (225, 200, 160), YELLOW, BLACK, (100, 60, 20)]
    inks = [BLACK, BLUE, (60, 70, 20), (100, 40, 20), RED, WHITE, YELLOW]
    for i, (background, ink) in enumerate(zip(other, inks, strict=True)):
        found.append(
            Style(f"us/special-{i}", _VANITY + _STATE_PATTERNS["stacked"] + _STATE_PATTERNS["any"], "us", (305, 152),
                  background=(background,), ink=(ink,), captions=("UNIVERSITY", "SAVE THE MANATEE", "Veteran", "USA", "PROTECT WILD DOLPHINS"),
                  slogans=("ALUMNI", "Support Education", "Helping Sea Turtles Survive", ""), char_height=0.43, char_width=(0.4, 0.54),
                  center_y=0.54, picture=0.9, border=0.2, weight=0.8)
        )  # fmt: skip
    return found


STYLES: dict[str, Style] = {style.name: style for style in [*_EU, *_UK, *_BR, *_OTHER, *_states()]}
