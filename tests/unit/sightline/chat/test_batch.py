"""Lines of a batch that are read, and those that are refused in their place."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from sightline.chat.batch import failed, read_prompts


def _line(custom_id: str, **body: Any) -> bytes:
    asked = {"model": "default", "messages": [{"role": "user", "content": "Hello"}], **body}
    return json.dumps({"custom_id": custom_id, "body": asked}).encode() + b"\r\n"


def test_a_byte_order_mark_belongs_to_no_line(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(codecs.BOM_UTF8 + _line("a") + codecs.BOM_UTF8 + _line("b"))
    prompts = list(read_prompts(file))
    assert [(one.custom_id, one.error) for one in prompts] == [("a", None), ("b", None)]
    assert prompts[0].text.startswith("{")


def test_a_conversation_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(_line("a", conversation="gate") + _line("b"))
    refused, taken = read_prompts(file)
    assert taken.error is None
    assert refused.error is not None
    response = failed(refused, refused.error)["response"]
    assert (response["status_code"], response["body"]["error"]["param"]) == (400, "conversation")
