"""Photos and what is on them: tables of true plates, and our own two small tables of what these leave out.

A folder of photos has a `truth.tsv`: file, x, y, width, height of the plate in pixels, and its text. Rows are counted
from 0: even ones are the half to develop with (`dev`), odd ones the half to test with (`test`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import SettingsError
from sightline.types import Xyxy
from storage.plates.text import plate_chars

TABLE = "truth.tsv"
_COLUMNS = ("file", "x", "y", "width", "height", "plate")
_HERE = Path(__file__).parent
#: Signs that the plates of a country draw alike, so that nobody can tell them apart in a picture. Seen on the photos:
#: Slovak, Czech and British plates have one O for letter and digit, most US states too; Brazil's old lettering also
#: has one stroke for I and 1, while Slovakia, Texas and California give the 1 a flag or the I its serifs.
_ALIKE = {"eu": ("O0",), "us": ("O0",), "br": ("O0", "I1")}


@dataclass(frozen=True)
class Photo:
    """One photo with one labeled plate. `xyxy` as everywhere; `unlabeled` are real plates that have no row."""

    path: Path
    country: str
    row: int
    xyxy: Xyxy
    label: str
    corrected: str
    unlabeled: tuple[Xyxy, ...] = ()

    @property
    def half(self) -> str:
        return "test" if self.row % 2 else "dev"

    @property
    def height_px(self) -> float:
        return self.xyxy[3] - self.xyxy[1]

    def canonical(self, plate: str) -> str:
        """The plate with signs that this country draws alike written as one."""
        for signs in _ALIKE.get(self.country, ()):
            for sign in signs[1:]:
                plate = plate.replace(sign, signs[0])
        return plate


def read_photos(folder: Path) -> list[Photo]:
    """All photos below a folder: it or its folders, one a country, have a table.

    Raises:
        SettingsError: no table, a column or a photo that is not there, a number that is none; says where.
    """
    tables = sorted(table for table in (folder / TABLE, *folder.glob(f"*/{TABLE}")) if table.is_file())
    if not tables:
        raise SettingsError(
            f"photos: no {TABLE} in {folder} or a folder of it; docs/measurements/accuracy.md says what goes in it"
        )
    corrections = {
        (row["country"], row["file"], row["label"]): row["shown"] for row in _rows(_HERE / "corrections.tsv")
    }
    unlabeled: dict[tuple[str, str], list[Xyxy]] = {}
    for row in _rows(_HERE / "unlabeled.tsv"):
        box = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
        unlabeled.setdefault((row["country"], row["file"]), []).append(box)
    photos: list[Photo] = []
    for table in tables:
        country = table.parent.resolve().name
        for number, row in enumerate(_rows(table)):
            label = plate_chars(row["plate"])
            photo = Photo(
                path=table.parent / row["file"],
                country=country,
                row=number,
                xyxy=_box(row, table, number),
                label=label,
                corrected=corrections.get((country, row["file"], label), label),
                unlabeled=tuple(unlabeled.get((country, row["file"]), ())),
            )
            if not photo.path.is_file():
                raise SettingsError(f"{table}, row {number}: there is no photo {photo.path}")
            photos.append(photo)
    return photos


def _rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if table.name == TABLE and missing:
            raise SettingsError(f"{table}: columns {missing} are missing, expected {' '.join(_COLUMNS)} and tabs")
        yield from reader


def _box(row: dict[str, str], table: Path, number: int) -> Xyxy:
    try:
        x, y, width, height = (float(row[name]) for name in ("x", "y", "width", "height"))
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{table}, row {number}: x, y, width, height must be numbers ({error})") from error
    return x, y, x + width, y + height
