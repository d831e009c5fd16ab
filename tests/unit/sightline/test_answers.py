"""What the Python client knows of the API's answers."""

from __future__ import annotations

from typing import Any

from producers.api.accounting.hours import Audit as ApiAudit
from producers.api.routes.cameras import CameraView
from sightline.client import answers
from storage.passages.views import FoundPassageView, LikelyPassageView
from storage.results.views import FindingView


def test_the_client_knows_all_that_the_api_says() -> None:
    assert _fields(answers.Passage) == _fields(FoundPassageView) | _fields(LikelyPassageView)
    for known, said in (
        (answers.Finding, FindingView),
        (answers.Camera, CameraView),
        (answers.Audit, ApiAudit),
    ):
        assert _fields(known) == _fields(said)


def _fields(model: Any) -> set[str]:
    """The names of a model's fields, and of those of the models in them."""
    schema = model.model_json_schema(mode="serialization")
    objects = [schema, *schema.get("$defs", {}).values()]
    return {name for part in objects for name in part.get("properties", ())}
