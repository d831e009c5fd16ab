"""Errors in OpenAI's shape: their code is a stable word or none, and what is not offered is said to be so."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from producers.api.middleware.problems import NotFoundError, add_handlers
from producers.api.openai.errors import OpenAiErrors


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()

    @app.get("/v1/chat/{status}")
    def fail(status: int) -> None:
        raise HTTPException(status, "it is so")

    @app.get("/v1/models/{model}")
    def find(model: str) -> None:
        raise NotFoundError("model", model)

    add_handlers(app)
    app.add_middleware(OpenAiErrors)
    return TestClient(app)


def error(client: TestClient, path: str) -> dict[str, Any]:
    return client.get(path).json()["error"]


def test_a_code_is_a_stable_word_or_none(client: TestClient) -> None:
    assert error(client, "/v1/chat/401")["code"] == "invalid_api_key"
    assert error(client, "/v1/chat/403")["code"] == "insufficient_permissions"
    assert error(client, "/v1/chat/405")["code"] is None
    assert error(client, "/v1/models/large") == {
        "message": "there is no model 'large'",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/audio/translations"])
def test_what_is_not_offered_is_told_with_what_is(client: TestClient, path: str) -> None:
    answer = client.post(path, json={})
    assert answer.status_code == 404
    said = f"{path} is not offered here; use /v1/chat/completions, /v1/audio/transcriptions and /v1/models"
    assert answer.json()["error"]["message"] == said
