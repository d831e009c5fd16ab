"""Every route of the API and the page, and who may use it. A route that is not in the table fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fastapi.testclient import TestClient
from starlette.routing import Mount

from producers.api.app import create_app
from producers.api.pages.reference import openapi
from sightline.settings import Settings
from storage.access.audit_log import list_entries
from storage.access.keys import Role
from storage.database.opening import open_database
from tests.integration.api.uploading import Key


class Rule(NamedTuple):
    """`role`: the lowest that may; None: everybody. `logged`: its name in the audit log, if it leaves an entry."""

    role: Role | None
    logged: str | None = None


OPEN = Rule(None)
LOOK, SETTINGS = Role.VIEWER, Rule(Role.VIEWER)
ACT = Role.OPERATOR

RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("POST", "/v1/jobs"): Rule(ACT),
    ("POST", "/v1/jobs/json"): Rule(ACT),
    ("POST", "/v1/jobs/image"): Rule(ACT),
    ("GET", "/v1/jobs"): Rule(LOOK, "list_jobs"),
    ("GET", "/v1/jobs/{job_id}"): Rule(LOOK, "get_job"),
    ("GET", "/v1/jobs/{job_id}/events"): Rule(LOOK, "listen_to_job"),
    ("POST", "/v1/jobs/{job_id}/cancel"): Rule(ACT, "cancel_job"),
    ("POST", "/v1/chat/completions"): Rule(ACT),
    ("POST", "/v1/audio/transcriptions"): Rule(ACT),
    ("GET", "/v1/models"): SETTINGS,
    ("GET", "/v1/models/{model}"): SETTINGS,
    ("GET", "/v1/passages"): Rule(LOOK, "list_passages"),
    ("GET", "/v1/passages/{passage_id}"): Rule(LOOK, "get_passage"),
    ("PATCH", "/v1/passages/{passage_id}"): Rule(ACT, "correct_passage"),
    ("GET", "/v1/passages/{passage_id}/crop"): Rule(LOOK, "get_passage_crop"),
    ("GET", "/v1/passages/like"): Rule(LOOK, "list_similar_passages"),
    ("GET", "/v1/passages/export"): Rule(LOOK, "export_passages"),
    ("GET", "/v1/passages/likely"): Rule(LOOK, "list_likely_passages"),
    ("GET", "/v1/lookups"): Rule(LOOK, "list_lookups"),
    ("GET", "/v1/lookups/of-question"): Rule(LOOK, "look_up"),
    ("POST", "/v1/lookups/{name}"): Rule(LOOK, "ask_lookup"),
    ("GET", "/v1/plates"): Rule(LOOK, "list_plates"),
    ("GET", "/v1/plates/export"): Rule(LOOK, "export_plates"),
    ("POST", "/v1/plates"): Rule(ACT, "add_plate"),
    ("POST", "/v1/plates/import"): Rule(ACT, "import_plates"),
    ("DELETE", "/v1/plates/{list}/{plate}"): Rule(ACT, "remove_plate"),
    ("GET", "/v1/detections"): Rule(LOOK, "list_detections"),
    ("GET", "/v1/readings"): Rule(LOOK, "list_readings"),
    ("GET", "/v1/findings"): Rule(LOOK, "list_findings"),
    ("GET", "/v1/frames/{frame_id}"): Rule(LOOK, "get_frame"),
    ("GET", "/v1/frames/{frame_id}/picture"): Rule(LOOK, "get_picture"),
    ("GET", "/v1/frames/{frame_id}/annotated"): Rule(LOOK, "get_annotated"),
    ("GET", "/v1/frames/{frame_id}/detections/{detection_index}/crop"): Rule(LOOK, "get_detection_crop"),
    ("GET", "/v1/frames/{frame_id}/trace"): Rule(LOOK, "get_trace"),
    ("GET", "/v1/frames/{frame_id}/explanation"): Rule(LOOK, "get_explanation"),
    ("GET", "/v1/frames/{frame_id}/explanation/picture"): Rule(LOOK, "get_explained_picture"),
    ("DELETE", "/v1/frames/{frame_id}"): Rule(Role.ADMIN, "erase_frame"),
    ("DELETE", "/v1/passages/{passage_id}"): Rule(Role.ADMIN, "erase_passage"),
    ("DELETE", "/v1/sources/{source_id}/data"): Rule(Role.ADMIN, "erase_source"),
    ("GET", "/v1/dead-letters"): Rule(LOOK, "list_dead_letters"),
    ("GET", "/v1/dead-letters/{letter_id}"): Rule(LOOK, "get_dead_letter"),
    ("GET", "/v1/dead-letters/{letter_id}/picture"): Rule(LOOK, "get_dead_letter_picture"),
    ("POST", "/v1/dead-letters/replay"): Rule(ACT, "replay"),
    ("POST", "/v1/dead-letters/discard"): Rule(ACT, "discard"),
    ("GET", "/v1/cameras"): SETTINGS,
    ("GET", "/v1/cameras/{camera_id}"): SETTINGS,
    ("POST", "/v1/cameras"): Rule(ACT, "add_camera"),
    ("POST", "/v1/cameras/test"): Rule(ACT, "test_camera"),
    ("POST", "/v1/cameras/discover"): Rule(ACT, "discover_cameras"),
    ("PATCH", "/v1/cameras/{camera_id}"): Rule(ACT, "change_camera"),
    ("DELETE", "/v1/cameras/{camera_id}"): Rule(ACT, "remove_camera"),
    ("GET", "/v1/sinks"): SETTINGS,
    ("GET", "/v1/sinks/{sink_id}"): SETTINGS,
    ("POST", "/v1/sinks"): Rule(ACT, "add_sink"),
    ("PATCH", "/v1/sinks/{sink_id}"): Rule(ACT, "change_sink"),
    ("DELETE", "/v1/sinks/{sink_id}"): Rule(ACT, "remove_sink"),
    ("POST", "/v1/sinks/{sink_id}/secret"): Rule(ACT, "change_sink_secret"),
    ("DELETE", "/v1/sinks/{sink_id}/secret"): Rule(ACT, "forget_sink_secret"),
    ("POST", "/v1/sinks/{sink_id}/test"): Rule(ACT, "send_test"),
    ("POST", "/v1/sinks/{sink_id}/replay"): Rule(ACT, "replay_sink"),
    ("GET", "/v1/queues"): SETTINGS,
    ("GET", "/v1/audit"): SETTINGS,
    ("GET", "/v1/status"): SETTINGS,
    ("GET", "/metrics"): SETTINGS,
    ("GET", "/v1/audit-log"): Rule(Role.ADMIN, "list_audit_log"),
    # The page, which the OpenAPI document leaves out.
    ("GET", "/"): Rule(LOOK, "get_page"),  # without a key it leads to /login
    ("GET", "/live"): SETTINGS,  # the page asks for it again and again: one entry for both
    ("GET", "/dead-letters/{letter_id}"): Rule(LOOK, "get_dead_letter"),
    ("GET", "/plates"): Rule(LOOK, "get_plates"),
    ("GET", "/chat"): SETTINGS,
    ("GET", "/passages/{passage_id}"): Rule(LOOK, "get_passage"),
    ("GET", "/jobs"): Rule(LOOK, "list_jobs"),
    ("GET", "/jobs/{job_id}"): Rule(LOOK, "get_job"),
    ("GET", "/frames/{frame_id}"): Rule(LOOK, "get_frame"),
    ("POST", "/passages/{passage_id}/plate"): Rule(ACT, "correct_passage"),
    ("GET", "/login"): OPEN,
    ("POST", "/login"): OPEN,
    ("POST", "/logout"): OPEN,
    ("GET", "/docs"): SETTINGS,
    ("GET", "/openapi.json"): SETTINGS,
}
_NAMES = {
    "detection_index": "0",
    "letter_id": "0" * 16,
    "job_id": "job-000001",
    "frame_id": "frame-0001",
    "passage_id": "p1",
    "list": "deny",
    "model": "smollm2",
    "name": "sources",
    "plate": "KAB4721",
}
_RANK = {None: -1, **{role: rank for rank, role in enumerate(Role)}}


def path_of(route: str) -> str:
    for name in ("camera_id", "sink_id", *_NAMES):
        route = route.replace(f"{{{name}}}", _NAMES.get(name, "gate"))
    return route


@pytest.fixture
def far(settings: Settings, key: Key) -> Iterator[TestClient]:
    """From another machine, without a key."""
    app = create_app(settings.model_copy(update={"rate_limit_per_s": 0}))
    with TestClient(app, base_url="http://10.0.0.1", client=("10.1.2.3", 1), follow_redirects=False) as client:
        yield client


def test_every_route_has_a_rule(far: TestClient) -> None:
    app: Any = far.app
    documented = {(method.upper(), path) for path, each in openapi(app)["paths"].items() for method in each}
    assert documented <= set(RULES), "decide who may use them"
    mounted = {route.path for route in app.routes if isinstance(route, Mount)}
    assert mounted == {"/static"}, "what is mounted needs no key"
    undocumented = {(method, path) for method, path in RULES if not path.startswith("/v1/")} - documented
    assert set(RULES) - documented == undocumented, "these are no routes any more"


def test_every_route_lets_in_whom_it_should(far: TestClient, settings: Settings, key: Key) -> None:
    keys = {None: {}, **{role: key(role) for role in Role}}
    wrong: list[str] = []
    for (method, route), rule in RULES.items():
        for role, headers in keys.items():
            status = far.request(method, path_of(route), headers=headers).status_code
            let_in = status not in (401, 403, 303) or route == "/logout"
            if route == "/login":
                let_in = True
            if let_in != (_RANK[role] >= _RANK[rule.role]):
                wrong.append(f"{method} {route} as {role}: {status}")
            if not let_in and status != (403 if role else 303 if route == "/" else 401):
                wrong.append(f"{method} {route} as {role} is refused with {status}")
    assert wrong == []


def test_every_route_leaves_the_entry_it_should(far: TestClient, settings: Settings, key: Key) -> None:
    """Whether it succeeds, fails or is refused: one entry. Without a key: none, or anybody could fill the database."""
    keys = {role: key(role) for role in Role}
    database = open_database(settings.sqlalchemy_url)
    seen = 0
    for (method, route), rule in RULES.items():
        for role in (None, Role.VIEWER, Role.ADMIN):
            far.request(method, path_of(route), headers=keys[role] if role else {})
            entries = list_entries(database, limit=1000).items
            new = [(entry.action, entry.role) for entry in entries[: len(entries) - seen]]
            seen = len(entries)
            assert new == ([(rule.logged, role)] if rule.logged and role else []), f"{method} {route} as {role}"
    assert all(entry.address == "10.1.2.3" and entry.key_id for entry in list_entries(database, limit=1000).items)
    database.close()
