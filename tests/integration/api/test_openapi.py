"""The OpenAPI document, as generators of clients read it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.integration.api.uploading import jpeg

#: They are the names of functions in generated clients: one that is here does not change.
OPERATIONS = {
    *("create_job", "create_json_job", "create_image_job", "get_job", "list_jobs", "cancel_job", "listen_to_job"),
    *(
        "list_passages",
        "list_similar_passages",
        "list_likely_passages",
        "list_lookups",
        "look_up",
        "ask_lookup",
        "get_passage",
        "get_passage_crop",
        "list_detections",
        "list_readings",
        "list_findings",
    ),
    *(
        "get_frame",
        "get_picture",
        "get_annotated",
        "get_detection_crop",
        "get_trace",
        "get_explanation",
        "get_explained_picture",
    ),
    *("list_dead_letters", "get_dead_letter", "get_dead_letter_picture", "replay_dead_letters", "discard_dead_letters"),
    *("list_cameras", "add_camera", "get_camera", "change_camera", "remove_camera", "test_camera"),
    *("discover_cameras",),
    *("list_plates", "add_plate", "export_plates", "import_plates", "remove_plate"),
    *("list_sinks", "add_sink", "get_sink", "change_sink", "remove_sink", "test_sink", "replay_sink"),
    *("change_sink_secret", "forget_sink_secret"),
    *("get_queues", "get_audit", "list_audit_log", "get_health", "get_readiness", "get_metrics", "get_status"),
    *("create_chat_completion", "list_models", "get_model", "create_transcription"),
    *("erase_frame", "erase_passage", "erase_source"),
    *("correct_passage", "export_passages"),
    *("list_lookups", "look_up", "ask_lookup"),
}


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_operations_keep_their_names(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document)]
    assert len(names) == len(set(names))
    assert OPERATIONS - set(names) == set(), "these names are gone: generated clients call them"
    assert set(names) - OPERATIONS == set(), "these names will stay: write them down here"


def test_each_takes_one_kind_of_body_and_gives_one_kind_of_answer(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert len(operation.get("requestBody", {}).get("content", ["none"])) == 1
        for status, answer in operation["responses"].items():
            is_file = operation["operationId"] == "export_passages" and status == "200"  # in the format asked for
            assert len(answer.get("content", ["none"])) == (2 if is_file else 1), (operation["operationId"], status)


def test_pictures_are_bytes(document: dict[str, Any]) -> None:
    kinds = [
        media["schema"]
        for operation in operations(document)
        for answer in operation["responses"].values()
        for name, media in answer.get("content", {}).items()
        if name.startswith("image/")
    ]
    assert len(kinds) >= 6
    assert all(kind == {"type": "string", "format": "binary"} for kind in kinds)


def test_boxes_are_lists_of_four_numbers(document: dict[str, Any]) -> None:
    box = document["components"]["schemas"]["Detection"]["properties"]["xyxy"]
    assert box == {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4, "title": "Xyxy"}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/image"])
def test_one_image_is_taken_at_either_path(client: TestClient, path: str) -> None:
    headers = {"content-type": "application/octet-stream"}
    answer = client.post(f"{path}?source_id=gate&lane=bulk", content=jpeg(), headers=headers)
    assert answer.status_code == 202
    assert client.get("/v1/queues").json()["open_frames"] == {"gate": 1}


@pytest.mark.parametrize("path", ["/v1/jobs/json", "/v1/jobs/image"])
def test_what_is_large_is_taken_there_as_well(client: TestClient, path: str) -> None:
    answer = client.post(path, content=bytes(2_000_000), headers={"content-type": "application/octet-stream"})
    assert answer.status_code == 422
    assert "no JPEG, PNG or WebP" in answer.json()["detail"]
