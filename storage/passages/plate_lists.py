"""Lists of known plates (`allow`, `deny`, and whatever else somebody names), and which of them a plate is on."""

from __future__ import annotations

import csv
import io
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple

import sqlalchemy as sa
from pydantic import Field, StringConstraints, ValidationError
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from sightline.errors import BadMessageError, SightlineError
from sightline.types import Value
from sightline.wire.messages import bad_message
from storage.database.engine import Database, insert_into
from storage.plates.confusions import p_text_right
from storage.plates.corrections import Correction
from storage.plates.text import MAX_PLATE_CHARS, fold, most_errors, plate_distance, spell_plate
from storage.plates.votes import Votes, surest
from storage.tables import KnownPlates

#: A list that was changed is heard of by writers within this time.
_LISTS_EVERY_S: Final = 2.0
#: Of two that are equally near, which one counts: who is looked for comes before who may pass.
_FIRST: Final = {"deny": 0, "allow": 1}
#: The lists whose plates one sure reading is enough for. Any other may open a gate, and for that the vote must agree.
_BY_READING: Final = frozenset({"deny"})
#: A reading is sure if its text is right at least so often.
SURE_OF_TEXT: Final = 0.9
_COLUMNS: Final = ("list", "plate", "tolerance", "note")
MAX_TOLERANCE: Final = 2.0
DEFAULT_TOLERANCE: Final = 1.0

#: Different voted plates whose matches are kept at hand.
_REMEMBERED: Final = 1 << 12

MatchedBy = Literal["vote", "reading", "correction"]
ListName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$")]


class PlateNotListedError(SightlineError):
    reason = "plate_not_listed"

    def __init__(self, list_name: str, plate: str) -> None:
        super().__init__(f"there is no plate {plate!r} on the list {list_name!r}; see `sightline plates list`")


class KnownPlate(Value):
    """A plate on a list. `tolerance`: what differs by this much at most is taken for it; see `plate_distance`."""

    list_name: ListName
    plate: Annotated[str, StringConstraints(min_length=2, max_length=MAX_PLATE_CHARS)]
    tolerance: Annotated[float, Field(ge=0, le=MAX_TOLERANCE)] = DEFAULT_TOLERANCE
    note: Annotated[str, StringConstraints(max_length=200)] = ""
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Match(NamedTuple):
    """A known plate, and what showed it: `text`, the voted plate, a sure reading, or what somebody corrected.

    `distance` 0: it is exactly this plate.
    """

    list_name: str
    plate: str
    distance: float
    text: str
    by: MatchedBy


class PlateLists:
    """All lists at one moment, ready to be looked things up in."""

    def __init__(self, plates: Iterable[KnownPlate] = ()) -> None:
        self._by_fold: dict[str, list[KnownPlate]] = defaultdict(list)
        for plate in plates:
            self._by_fold[fold(plate.plate)].append(plate)
        self._folded = list(self._by_fold)
        self._like = lru_cache(maxsize=_REMEMBERED)(self._like_vote)  # a passage asks anew with each reading

    def match_votes(self, voted: str, read: Mapping[str, float]) -> Match | None:
        """The nearest known plate that a passage shows; None if there is none.

        The voted plate is any that it is like, within its tolerance. What else was read counts for `deny` alone, where
        the reading was sure and shows the plate itself, look-alikes apart. `read` has all texts that were read, each
        with how sure its surest reading was of its least sure character.
        """
        if not self._folded:
            return None
        sure = [text for text, least in read.items() if text != voted and p_text_right(least) >= SURE_OF_TEXT]
        return min(
            [*self._like(voted), *(match for text in sure for match in self._shown(text))], key=_rank, default=None
        )

    def match_passage(self, text: str, votes: Votes, correction: Correction | None) -> Match | None:
        """The same for what a passage says: where somebody corrected its plate, what was read counts no more."""
        if correction is None:
            return self.match_votes(text, surest(votes))
        match = self.match_votes(correction.text, {})
        return match and match._replace(by="correction")

    def _like_vote(self, voted: str) -> tuple[Match, ...]:
        near = process.extract(
            fold(voted),
            self._folded,
            scorer=Levenshtein.distance,
            score_cutoff=most_errors(MAX_TOLERANCE),
            limit=None,
        )
        return tuple(match for folded, errors, _ in near for match in self._near(folded, voted, "vote", int(errors)))

    def _shown(self, text: str) -> Iterator[Match]:
        return (match for match in self._near(fold(text), text, "reading", 0) if match.list_name in _BY_READING)

    def _near(self, folded: str, text: str, by: MatchedBy, errors: int) -> Iterator[Match]:
        for known in self._by_fold.get(folded, ()):
            distance = plate_distance(known.plate, text)
            if distance <= known.tolerance and errors <= most_errors(known.tolerance):
                yield Match(known.list_name, known.plate, distance, text, by)


def _rank(match: Match) -> tuple[object, ...]:
    """The nearest first; of equals who is looked for, then what the vote says."""
    first = _FIRST.get(match.list_name, len(_FIRST))
    return match.distance, first, match.by != "vote", match.list_name, match.plate, match.text


class ListReader:
    """The lists as writers know them: read again every other second. Safe to share between threads."""

    def __init__(self, every_s: float = _LISTS_EVERY_S) -> None:
        self._every_s = every_s
        self._read_at = -every_s
        self._known: list[KnownPlate] = []
        self._lists = PlateLists()

    def read(self, connection: sa.Connection) -> PlateLists:
        clock = time.monotonic()
        if clock - self._read_at >= self._every_s:
            known = _load(connection, None)
            if known != self._known:
                self._known, self._lists = known, PlateLists(known)
            self._read_at = clock
        return self._lists


def new_plate(list_name: str, plate: str, *, tolerance: float = DEFAULT_TOLERANCE, note: str = "") -> KnownPlate:
    """A valid entry; the plate may be written in any spelling. Raises BadMessageError naming the field."""
    spelled = spell_plate(plate, "plate")
    if not spelled:
        raise BadMessageError(f"plate: {plate[:40]!r} has no letter A-Z and no digit", field="plate")
    try:
        return KnownPlate(list_name=list_name, plate=spelled, tolerance=tolerance, note=note.replace("\x00", ""))
    except ValidationError as error:
        raise bad_message(error) from error


def add_plates(database: Database, plates: Sequence[KnownPlate]) -> int:
    """Put plates on their lists, all or none; one that is there already gets the new tolerance and note."""
    rows = {(plate.list_name, plate.plate): plate.model_dump() for plate in plates}
    if not rows:
        return 0
    with database.write() as connection:
        insert = insert_into(connection, KnownPlates)
        changed = {name: insert.excluded[name] for name in ("tolerance", "note")}
        keys = [KnownPlates.list_name, KnownPlates.plate]
        entered = insert.on_conflict_do_update(index_elements=keys, set_=changed)
        connection.execute(entered, [row for _, row in sorted(rows.items())])
    return len(rows)


def list_plates(database: Database, list_name: str | None = None) -> list[KnownPlate]:
    """All known plates or those of one list, by list and plate."""
    with database.read() as connection:
        return _load(connection, list_name)


def remove_plate(database: Database, list_name: str, plate: str) -> None:
    """Take a plate off a list.

    Raises:
        PlateNotListedError: it is not on it.
        BadMessageError: it has a sign that no plate has.
    """
    spelled = spell_plate(plate, "plate")
    gone = sa.delete(KnownPlates).where(KnownPlates.list_name == list_name, KnownPlates.plate == spelled)
    with database.write() as connection:
        if not connection.execute(gone).rowcount:
            raise PlateNotListedError(list_name, plate)


def to_csv(plates: Iterable[KnownPlate]) -> str:
    """`list,plate,tolerance,note`, one plate a line."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((each.list_name, each.plate, f"{each.tolerance:g}", harmless(each.note)) for each in plates)
    return file.getvalue()


def from_csv(text: str, list_name: str | None = None) -> list[KnownPlate]:
    """The plates of a CSV file with a heading; `plate` is the only column it needs where `list_name` is given.

    Raises:
        BadMessageError: naming the line and what is wrong there.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        return _parse_rows(reader, list_name)
    except csv.Error as error:
        raise BadMessageError(f"csv: line {reader.line_num + 1}: {error}", field="csv") from error


def _parse_rows(reader: csv.DictReader[str], list_name: str | None) -> list[KnownPlate]:
    heading = [name.strip().lower() for name in reader.fieldnames or ()]
    missing = {"plate"} - set(heading) if list_name else {"list", "plate"} - set(heading)
    if missing:
        raise BadMessageError(f"csv: the first line must name the columns, {', '.join(missing)} too", field="csv")
    reader.fieldnames = heading
    found: list[KnownPlate] = []
    for row in reader:
        given = {name: (value or "").strip() for name, value in row.items() if name in _COLUMNS}
        try:
            tolerance = float(given.get("tolerance") or DEFAULT_TOLERANCE)
            name = list_name or given["list"]
            found.append(new_plate(name, given["plate"], tolerance=tolerance, note=given.get("note", "")))
        except (BadMessageError, ValueError) as error:
            raise BadMessageError(f"csv: line {reader.line_num}: {error}", field="csv") from error
    return found


def harmless(note: str) -> str:
    """A spreadsheet would run what begins like a formula, whatever it does not show comes before that."""
    first_seen = next((sign for sign in note if sign.isprintable() and not sign.isspace()), "")
    return f"'{note}" if first_seen in tuple("=+-@＝＋－＠") or note[:1] in tuple("\t\r\n") else note


def _load(connection: sa.Connection, list_name: str | None) -> list[KnownPlate]:
    rows = sa.select(KnownPlates.__table__).order_by(KnownPlates.list_name, KnownPlates.plate)
    if list_name is not None:
        rows = rows.where(KnownPlates.list_name == list_name)
    return [KnownPlate.model_validate(dict(row)) for row in connection.execute(rows).mappings()]
