"""The registry of pipelines: what follows from the specs, and what packages may add."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from sightline.errors import BadMessageError, SettingsError
from sightline.pipelines import DEFAULT, KnownPipeline, PipelineSpec, Registry, StageSpec, registry
from sightline.pipelines.built_in import BUILT_IN, DETECT
from sightline.pipelines.queues import DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.settings import Settings
from sightline.types import FrameResult, Pipeline
from tests.installing import write_package

COUNT = StageSpec("count", "cpu.count", "count_letters.stage", concurrency=5)


def spec(*stages: StageSpec, name: str = "count-letters") -> PipelineSpec:
    return PipelineSpec(Pipeline(name), accepts=("text",), result=FrameResult, stages=stages)


def test_ours_are_these_and_the_way_through_each_is_known() -> None:
    known = Registry(BUILT_IN)
    assert known.tasks == {
        "objects": (DETECT_TASK, WRITE_TASK),
        "text": (DETECT_TASK, OCR_TASK, WRITE_TASK),
        "plates": (DETECT_TASK, OCR_TASK, WRITE_TASK),
        "chat": ("sightline.chat", WRITE_TASK),
        "transcribe": ("sightline.transcribe", WRITE_TASK),
        "ask": (DETECT_TASK, OCR_TASK, "sightline.transcribe", "sightline.chat", WRITE_TASK),
    }
    usual = {"detect": "gpu.detect", "ocr": "cpu.ocr", "write": "db.write"}
    assert known.roles == usual | {"chat": "gpu.chat", "transcribe": "cpu.transcribe"}
    assert known.queues == ("gpu.detect", "cpu.ocr", "cpu.transcribe", "gpu.chat", "db.write")
    assert known.usual_roles == ("detect", "ocr", "write")
    assert known.usual_queues == ("gpu.detect", "cpu.ocr", "db.write")
    assert set(known.routes.values()) == set(known.queues)
    assert known.first_task(DEFAULT) == DETECT_TASK
    assert known.next_task(Pipeline.PLATES, DETECT_TASK, has_payload=True) == OCR_TASK
    assert known.next_task(Pipeline.PLATES, DETECT_TASK, has_payload=False) == WRITE_TASK
    assert known.next_task(Pipeline.OBJECTS, DETECT_TASK) == WRITE_TASK
    assert known.wants_payload(Pipeline.TEXT, DETECT_TASK)
    assert not known.wants_payload(Pipeline.OBJECTS, DETECT_TASK)
    assert known.with_payload == {"text", "plates", "ask"}


def test_one_of_another_package_stands_beside_ours() -> None:
    known = Registry((*BUILT_IN, spec(COUNT), spec(DETECT, COUNT, name="count-things")))
    assert known.names == ("objects", "text", "plates", "chat", "transcribe", "ask", "count-letters", "count-things")
    assert known.first_task("count-letters") == "sightline.count"
    assert known.next_task("count-letters", "sightline.count") == WRITE_TASK
    assert known.queues == ("gpu.detect", "cpu.ocr", "cpu.count", "cpu.transcribe", "gpu.chat", "db.write")
    assert known.routes["sightline.count"] == "cpu.count"


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        ((), "none given"),
        ((COUNT, COUNT), "'count' is there twice"),
        ((StageSpec("write", "db.write", "x"),), "`write` is implied"),
        ((COUNT, StageSpec("sum", "cpu.sum", "x", after=("count", "more"))), "after: more must stand before it"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(stages: tuple[StageSpec, ...], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        spec(*stages)


@pytest.mark.parametrize("name", ["Count", "", "two words", "x" * 33, "1st"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(SettingsError, match="a name is"):
        spec(COUNT, name=name)
    with pytest.raises(SettingsError, match="a name is"):
        StageSpec(name, "cpu.count", "x")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (spec(COUNT, name="plates"), "'plates' is there twice"),
        (spec(StageSpec("ocr", "cpu.mine", "mine")), "'ocr' is another than"),
        (
            spec(COUNT, StageSpec("sum", "cpu.sum", "x", after=(), only_with_payload=True)),
            "'sum': only_with_payload: a payload is left for a stage that follows one other",
        ),
    ],
)
def test_what_does_not_go_with_ours_is_refused(more: PipelineSpec, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        Registry((*BUILT_IN, more))


def test_an_unknown_name_is_told_which_there_are() -> None:
    with pytest.raises(BadMessageError, match="'cars' is unknown; known are objects, text, plates") as caught:
        Registry(BUILT_IN).get("cars")
    assert caught.value.field == "pipeline"


class Form(BaseModel):
    pipeline: KnownPipeline = DEFAULT


@pytest.mark.parametrize("given", ["cars", 7, None, ["plates"]])
def test_a_field_takes_known_names_only(given: object) -> None:
    assert Form.model_validate({"pipeline": "text"}).model_dump_json() == '{"pipeline":"text"}'
    known = "'objects', 'text', 'plates', 'chat', 'transcribe' or 'ask'"
    with pytest.raises(ValidationError, match=f"Input should be {known}"):
        Form.model_validate({"pipeline": given})
    schema = Form.model_json_schema()["properties"]["pipeline"]
    assert schema["enum"] == ["objects", "text", "plates", "chat", "transcribe", "ask"]
    assert schema["default"] == "plates"


def test_what_is_read_back_may_have_the_name_of_a_package_that_is_gone() -> None:
    assert TypeAdapter(Pipeline).validate_python("count-letters") == "count-letters"
    with pytest.raises(ValidationError, match="pattern"):
        TypeAdapter(Pipeline).validate_python("Count letters")


def test_a_worker_of_a_role_without_a_setting_holds_what_the_stage_says(packages: Path) -> None:
    write_package(
        packages,
        "count_letters",
        "from sightline.pipelines import *\nfrom sightline.types import FrameResult\n" + SPEC,
        pipelines="count-letters = count_letters:SPEC",
    )
    assert registry().get("count-letters").stages[0].queue == "cpu.count"
    assert Settings().concurrency(["count"]) == 5
    assert Settings().concurrency(["count", "detect"]) == 16


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "import nothing_like_this\n",
            "count_letters:SPEC.: ModuleNotFoundError: No module named .nothing_like_this.; mend or remove",
        ),
        ("", "AttributeError"),
        ("SPEC = 7\n", "is a int; it must be a PipelineSpec"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named(packages: Path, code: str, text: str) -> None:
    write_package(packages, "count_letters", code, pipelines="count-letters = count_letters:SPEC")
    with pytest.raises(SettingsError, match=text) as caught:
        registry()
    assert str(caught.value).startswith("sightline.pipelines: 'count-letters' ")


SPEC = """
SPEC = PipelineSpec("count-letters", ("text",), FrameResult, (StageSpec("count", "cpu.count", "x", concurrency=5),))
"""
