"""The form on a passage's page that corrects its plate, or takes that back."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from producers.api.access.audit_trail import FormLogged
from producers.api.access.auth import Caller, require
from producers.api.middleware.prefix import here
from producers.api.pages.plates import show_passage
from producers.api.services import Given
from sightline.errors import BadMessageError
from storage.access.keys import Role
from storage.results import corrections

router = APIRouter(route_class=FormLogged, include_in_schema=False, dependencies=[Depends(require(Role.OPERATOR))])


@router.post("/passages/{passage_id}/plate")
def correct_passage(
    request: Request,
    services: Given,
    passage_id: str,
    text: Annotated[str, Form(max_length=64)] = "",
    undo: Annotated[bool, Form()] = False,
) -> Response:
    """Afterwards the passage is shown, with what is wrong if it was refused."""
    by, countries = cast(Caller, request.state.caller).name, services.settings.plate_countries
    plate = None if undo else text
    try:
        corrections.correct_passage(services.database, passage_id, plate, by, countries=countries)
    except BadMessageError as error:
        return show_passage(request, services, passage_id, trouble=str(error))
    return RedirectResponse(here(f"/passages/{passage_id}"), 303)
