"""Pictures of a question, shown to a model that sees: in small, beside what was found on them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from sightline.blobs.names import frames_name
from sightline.errors import SettingsError
from sightline.ids import new_id
from sightline.pipelines.ask import AskResult, Seen
from sightline.settings import load_settings
from sightline.testing import make_picture
from sightline.types import FrameError, Item, Part, Pipeline
from sightline.wire.messages import Job, Message
from tests.fake_openai import FakeOpenAi
from workers.chat.openai.engine import OpenAiEngine
from workers.chat.opening import open_engine
from workers.pixels.images import decode, encode_jpeg
from workers.stages.chat import ChatStage
from workers.stages.services import Services
from workers.stages.step import Step

BAD = FrameError(reason="bad_image", message="it is cut off", stage="detect")


@pytest.fixture
def server() -> Iterator[FakeOpenAi]:
    opened = FakeOpenAi(sees=True)
    yield opened
    opened.close()


def ask(server: FakeOpenAi, services: Services, pictures: list[bytes], *seen: Seen) -> tuple[Any, Any]:
    """The result, and the content of the message that the server was sent."""
    shows = services.settings.model_copy(update={"chat_sees_pictures": True, "chat_picture_px": 64})
    stage = ChatStage(OpenAiEngine(server.url, "fake"), replace(services, settings=shows))
    name = new_id()
    keys = [f"{name}.p{number}" for number in range(1, len(pictures) + 1)]
    parts = (Part(medium="text", text="What is it?"), *(Part(medium="image", key=key) for key in keys))
    item = Item(frame_id=name, source_id="ask", captured_at=datetime.now(UTC), parts=parts)
    job = Job(job_id=new_id(), pipeline=Pipeline.ASK, frames=(item,))
    services.frames.put_bundle(frames_name(job.job_id), dict(zip(keys, pictures, strict=True)))
    try:
        left = stage.work(Step(stage.task, Message(job=job, results=(AskResult(frame=item, seen=seen),))))
    finally:
        stage.close()
    (result,) = left.message.results
    return result, server.seen[-1]["messages"][-1]["content"] if server.seen else None


def test_they_are_made_small_and_stand_beside_the_findings(server: FakeOpenAi, services: Services) -> None:
    large = encode_jpeg(np.zeros((300, 600, 3), np.uint8))
    result, sent = ask(
        server, services, [large, make_picture("")], Seen(width=600, height=300), Seen(width=9, height=9)
    )
    assert (result.error, result.shown) == (None, 2)
    text, first, _ = sent
    assert "Answer by that and the pictures." in text["text"]
    assert all(line in text["text"] for line in result.used)
    kind, _, data = first["image_url"]["url"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert decode(base64.b64decode(data), max_mpx=1).shape == (32, 64, 3)


def test_one_that_cannot_be_shown_is_told_and_the_others_are(server: FakeOpenAi, services: Services) -> None:
    result, sent = ask(server, services, [b"no picture", make_picture("")], Seen(error=BAD), Seen(width=9, height=9))
    assert (result.shown, result.failed, len(sent)) == (1, (BAD,), 2)
    assert "Picture 1 could not be examined: it is cut off" in sent[0]["text"]


def test_what_no_detector_could_look_at_the_model_still_sees(server: FakeOpenAi, services: Services) -> None:
    result, sent = ask(server, services, [make_picture("")], Seen(error=BAD))
    assert (result.error, result.shown, len(sent)) == (None, 1, 2)
    nothing, _ = ask(server, services, [b"no picture"], Seen(error=BAD))
    assert nothing.error == BAD


@pytest.mark.parametrize("engine", ["stub", "openvino"])
def test_an_engine_that_reads_text_alone_refuses_the_setting(engine: Any) -> None:
    with pytest.raises(SettingsError, match=f"SIGHTLINE_CHAT_SEES_PICTURES: {engine} reads text alone"):
        open_engine(load_settings(chat_engine=engine, chat_sees_pictures=True))
