"""`/v1/plates`: lists of known plates. Writers follow within two seconds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import require
from producers.api.middleware.problems import ALWAYS, described
from producers.api.services import Given
from storage.access.keys import Role
from storage.passages import plate_lists
from storage.passages.plate_lists import DEFAULT_TOLERANCE, MAX_TOLERANCE, KnownPlate

router = APIRouter(route_class=Logged, prefix="/v1/plates", tags=["plates"], responses=ALWAYS)

List = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$", description="`allow`, `deny` or any other name.")]
OneList = Annotated[str | None, Query(max_length=32, description="Only this list.")]
_MAX_CSV = 20_000_000


class NewPlate(BaseModel):
    """A plate for a list; one that is on it already gets the new tolerance and note."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"list": "deny", "plate": "KAB 4721", "tolerance": 1, "note": "stolen"}},
    )

    list: str = Field(description="`allow`, `deny` or any other name.")
    plate: str = Field(max_length=64, description="In any spelling.")
    tolerance: float = Field(
        DEFAULT_TOLERANCE,
        ge=0,
        le=MAX_TOLERANCE,
        description="What differs by so much at most is taken for it; 0: this plate alone.",
    )
    note: str = Field("", max_length=200)


class PlateList(BaseModel):
    items: list[KnownPlate]


class Csv(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"csv": "plate,note\nKAB4721,stolen\n", "list": "deny"}}
    )

    csv: str = Field(
        max_length=_MAX_CSV, description="Columns `list`, `plate`, `tolerance`, `note`; the first line names them."
    )
    list: str | None = Field(None, description="The list of all its plates; then no column `list` is needed.")


class Imported(BaseModel):
    count: int


@router.get("", summary="Known plates", dependencies=[Depends(require(Role.VIEWER))])
def list_plates(services: Given, list: OneList = None) -> PlateList:
    """All known plates, by list and plate."""
    return PlateList(items=plate_lists.list_plates(services.database, list))


@router.get(
    "/export",
    summary="Known plates as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    dependencies=[Depends(require(Role.VIEWER))],
)
def export_plates(services: Given, list: OneList = None) -> Response:
    """All known plates as CSV."""
    text = plate_lists.to_csv(plate_lists.list_plates(services.database, list))
    headers = {"Content-Disposition": 'attachment; filename="plates.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("", summary="Add a plate to a list", status_code=201, dependencies=[Depends(require(Role.OPERATOR))])
def add_plate(new: NewPlate, services: Given) -> KnownPlate:
    """Passages that are stored two seconds later or more are compared with it; those from before stay as they are."""
    plate = plate_lists.new_plate(new.list, new.plate, tolerance=new.tolerance, note=new.note)
    plate_lists.add_plates(services.database, [plate])
    return plate


@router.post("/import", summary="Add plates from CSV", dependencies=[Depends(require(Role.OPERATOR))])
def import_plates(given: Csv, services: Given) -> Imported:
    """All of them or none; plates that are on their list already get the new tolerance and note."""
    found = plate_lists.from_csv(given.csv, given.list)
    return Imported(count=plate_lists.add_plates(services.database, found))


@router.delete(
    "/{list}/{plate}",
    summary="Take a plate off a list",
    status_code=204,
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def remove_plate(list: List, plate: Annotated[str, Path(max_length=64)], services: Given) -> None:
    """Take a plate off a list."""
    plate_lists.remove_plate(services.database, list, plate)
