"""`POST /v1/audio/transcriptions`, as OpenAI's own client asks, through real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.acceptance.parts.doors import Doors, opened_doors
from tests.videos import make_video
from tests.voices import as_kind, as_wav, silence, talk


@pytest.fixture(scope="module")
def doors(redis_of_module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with opened_doors(tmp_path_factory.mktemp("speech"), redis_of_module) as doors:
        doors.system.start("transcribe", "write")
        yield doors


def read(doors: Doors, data: bytes, name: str = "call.wav", **given: Any) -> Any:
    with doors.client() as client:
        return client.audio.transcriptions.create(**{"file": (name, data), "model": "whisper-1", **given})


def post(doors: Doors, *, files: Any = None, **fields: Any) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=60, headers={"Authorization": f"Bearer {doors.key}"}) as client:
        return client.post(f"{doors.url}/v1/audio/transcriptions", files=files, data=fields)


def test_the_client_gets_each_form(doors: Doors) -> None:
    sound = as_kind(talk(2), "m4a")
    plain = read(doors, sound, "call.m4a")
    assert plain.text.startswith("the weather was")
    text = read(doors, sound, response_format="text")
    assert (text.split(), len(text.splitlines())) == (plain.text.split(), 2)
    srt = read(doors, sound, response_format="srt")
    assert srt.startswith("1\n00:00:0")
    assert read(doors, sound, response_format="vtt").startswith("WEBVTT\n\n00:00:0")
    verbose = read(doors, sound, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert verbose.text == plain.text
    assert verbose.language == "en"
    assert 5 < verbose.duration < 10
    assert [word.word for word in verbose.words][:2] == ["the", "weather"]
    assert verbose.segments[0].start < verbose.segments[0].end <= verbose.segments[1].start
    assert read(doors, as_wav(silence(1)), stream=False, extra_body={"user": "somebody"}).text == ""


def test_what_is_wrong_is_told_in_the_shape_that_clients_show(doors: Doors, tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", frames=10).read_bytes()
    told = {
        b"a letter": "'call.wav' is no sound that can be read; give a whole recording",
        film: "there are pictures in it, and no sound",
        b"": "'call.wav' is empty; give a recording",
    }
    for data, text in told.items():
        with pytest.raises(openai.BadRequestError) as refused:
            read(doors, data)
        assert text in refused.value.message
    with pytest.raises(openai.BadRequestError, match="'pocketsphinx' does not know 'sk'; it reads en"):
        read(doors, as_wav(talk(1)), language="sk")
    with pytest.raises(openai.BadRequestError, match="language: String should match"):
        read(doors, as_wav(talk(1)), language="Slovak")
    with pytest.raises(openai.NotFoundError, match="there is no model 'large'; there is default, whisper-1"):
        read(doors, as_wav(talk(1)), model="large")
    with pytest.raises(openai.AuthenticationError):
        read(Doors(doors.system, doors.url, "wrong"), as_wav(talk(1)))


def test_a_form_that_is_none(doors: Doors) -> None:
    file = {"file": ("call.wav", as_wav(silence(1)))}
    assert (post(doors).status_code, post(doors, model="default").status_code) == (415, 415)
    cases: list[tuple[Any, dict[str, str], str]] = [
        ({"other": ("call.wav", b"x")}, {}, "file: none given"),
        (
            file,
            {"response_format": "pdf"},
            "response_format: Input should be 'json', 'text', 'srt', 'vtt' or 'verbose_json'",
        ),
        (file, {"timestamp_granularities[]": "word"}, "only with response_format=verbose_json, got 'json'"),
        (file, {"temperature": "9"}, "temperature"),
        (file, {"stream": "true"}, "stream: 'true' is not supported; the text is given when all of it is read"),
        ({"x": (None, "y")}, {}, "file: none given"),
    ]
    for files, fields, text in cases:
        answer = post(doors, files=files, **fields)
        assert answer.status_code == 400, answer.text
        assert text in answer.json()["error"]["message"]
