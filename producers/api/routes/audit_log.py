"""`/v1/audit-log`: who searched and changed what. For admins, and for reading only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import require
from producers.api.middleware.problems import ALWAYS
from producers.api.params import Cursor, Limit, Since, Until
from producers.api.services import Given
from storage.access.audit_log import AuditEntry, list_entries
from storage.access.keys import Role
from storage.database.paging import Page

router = APIRouter(prefix="/v1", tags=["operations"], responses=ALWAYS, route_class=Logged)


@router.get("/audit-log", summary="Who searched and changed what", dependencies=[Depends(require(Role.ADMIN))])
def list_audit_log(
    services: Given,
    actor: Annotated[str | None, Query(max_length=200, description="Only this key, by name or id.")] = None,
    action: Annotated[str | None, Query(max_length=64, description="Only this, such as `list_passages`.")] = None,
    target: Annotated[str | None, Query(max_length=256, description="Only what was done to this.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditEntry]:
    """Searches, looks at pictures and changes, newest first. Reading it is an entry too."""
    return list_entries(
        services.database,
        actor=actor,
        action=action,
        target=target,
        since=since,
        until=until,
        limit=limit,
        cursor=cursor,
    )
