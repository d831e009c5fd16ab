"""`sightline ask`, a batch of questions, and the Python client, with real workers."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from sightline import AsyncSightline, BadMessageError, JobCancelledError, Sightline
from tests.acceptance.parts.doors import WORDS, Doors
from tests.integration.api.uploading import jpeg


def test_ask_prints_the_answer_as_it_comes(doors: Doors, tmp_path: Path) -> None:
    doors.system.start("chat", "write")
    assert doors.run("ask", "How are you today?") == (0, "How are you today?\n", "")
    code, said, _ = doors.run("ask", "one two three", "--max-tokens", "2", "--json")
    answer = json.loads(said)
    assert (code, answer["answer"], answer["finish_reason"], answer["model"]) == (0, "one two", "length", "stub")
    code, said, complained = doors.run("ask", "evil \x1b[2J words")
    assert (code, said) == (0, "evil \\x1b[2J words\n")
    (tmp_path / "car.jpg").write_bytes(jpeg())
    code, said, complained = doors.run("ask", "What is it?", "--image", tmp_path / "car.jpg", "--pipeline", "chat")
    assert (code, said.strip()) == (1, "")
    assert complained.startswith("no answer: ")
    assert "sees no pictures" in complained
    assert doors.run("ask", "What is it?", "--image", tmp_path / "none.jpg")[0] == 2
    assert doors.run("ask", "Hi", "--temperature", "3")[0] == 2


def test_ctrl_c_ends_the_answer(doors: Doors) -> None:
    doors.system.start("chat", "write")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run behind a shell it is ignored
    asking = doors.command("ask", WORDS * 5)
    signal.signal(signal.SIGINT, before)
    assert asking.stdout is not None
    assert asking.stdout.read(5) == "word0"
    asking.send_signal(signal.SIGINT)
    _, complained = asking.communicate(timeout=30)
    assert (asking.returncode, complained) == (130, "cancelled\n")
    doors.wait_until(lambda: doors.outcomes("ask") == {"dropped:cancelled": 1})


def test_without_a_worker_ask_says_what_is_missing(doors: Doors) -> None:
    code, said, complained = doors.run("ask", "Hi", "--timeout", "1")
    assert (code, said) == (3, "")
    assert "does a chat worker run (sightline up --chat)?" in complained
    doors.system.start("chat", "write")
    doors.wait_until(lambda: doors.outcomes("ask") == {"dropped:cancelled": 1})


def test_without_a_worker_nobody_waits_for_the_whole_time(doors: Doors) -> None:
    code, said, complained = doors.run("ask", "Hi", "--timeout", "3600")
    assert (code, said) == (3, "")
    assert "no worker answers questions; waiting a few seconds" in complained
    assert "nobody answers questions: does a chat worker run (sightline up --chat)?" in complained


def test_a_worker_that_starts_meanwhile_answers(doors: Doors) -> None:
    asking = doors.command("ask", "Hi there")
    doors.system.start("chat", "write")
    said, _ = asking.communicate(timeout=60)
    assert (asking.returncode, said) == (0, "Hi there\n")


def line(custom_id: str, text: Any, **more: Any) -> str:
    body = {"model": "stub", "messages": [{"role": "user", "content": text}], **more}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body})


def test_a_batch_is_answered_in_order_and_a_bad_line_is_no_end(doors: Doors, tmp_path: Path) -> None:
    doors.system.start("chat", "write")
    questions, answers = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    lines = [line(f"q{number}", f"question {number}") for number in range(60)]
    lines[3] = "no JSON"
    lines[5] = line("q5", 5)
    lines[7] = line("q6", "the same id")
    lines[9] = json.dumps({"custom_id": "q9", "body": {"model": "stub", "messages": []}})
    lines[11] = line("q11", "word " * 3000)
    lines.insert(20, "")
    questions.write_text("\n".join(lines))
    code, said, complained = doors.run("submit", questions, "--pipeline", "chat", "--out", answers)
    assert (code, said, complained) == (1, f"55 of 60 questions answered, in {answers}\n", "")
    found = [json.loads(each) for each in answers.read_text().splitlines()]
    assert len(found) == 60
    for number, each in enumerate(found):
        if number in (3, 5, 7, 9, 11):
            continue
        assert each["custom_id"] == f"q{number}"
        assert each["response"]["body"]["choices"][0]["message"]["content"] == f"question {number}"
    assert found[3]["custom_id"] is None
    assert found[3]["error"]["message"].startswith("line 4: Invalid JSON")
    assert "a text or a list of parts (got 5)" in found[5]["response"]["body"]["error"]["message"]
    assert found[7]["error"]["message"].startswith("line 8: custom_id: 'q6' was given before")
    assert found[9]["custom_id"] == "q9"
    assert found[9]["error"]["message"].startswith("line 10: body.messages: List should have at least 1 item")
    assert (found[11]["response"]["status_code"], found[11]["error"]) == (400, None)

    again = doors.run("submit", questions, "--pipeline", "chat", "--out", answers, "--json")
    assert json.loads(again[1])["failed"] == 5
    assert [json.loads(each) for each in answers.read_text().splitlines()] == found


def test_a_batch_that_was_interrupted_goes_on_and_asks_nothing_twice(doors: Doors, tmp_path: Path) -> None:
    doors.system.start("chat", "write")
    questions, answers = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    questions.write_text("\n".join(line(f"q{number}", f"{WORDS} {number}") for number in range(40)))
    asking = doors.command("submit", questions, "--pipeline", "chat", "--out", answers)
    doors.wait_until(lambda: answers.exists() and answers.read_text().count("\n") >= 1)
    asking.send_signal(signal.SIGKILL)
    asking.communicate(timeout=30)
    whole = answers.read_text()
    answers.write_text(whole[: whole.rstrip("\n").rindex("\n") + 20] if "\n" in whole.rstrip("\n") else whole[:20])
    code, said, _ = doors.run("submit", questions, "--pipeline", "chat", "--out", answers)
    assert (code, said) == (0, f"40 of 40 questions answered, in {answers}\n")
    found = [json.loads(each)["custom_id"] for each in answers.read_text().splitlines()]
    assert found == [f"q{number}" for number in range(40)]
    assert doors.outcomes("files") == {"stored": 40}
    questions.write_text(line("another", "Hi"))
    code, _, complained = doors.run("submit", questions, "--pipeline", "chat", "--out", answers)
    assert code == 2
    assert "has 40 answers, to 1 questions: it is of another file" in complained


def test_a_batch_says_what_it_waits_for(doors: Doors, tmp_path: Path) -> None:
    questions, answers = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    questions.write_text(line("q1", "Hi"))
    asking = doors.command("submit", questions, "--pipeline", "chat", "--out", answers)
    assert asking.stderr is not None
    told = asking.stderr.readline()
    assert told == "no answer for 10 s: no chat worker runs (sightline up --chat); waiting for one\n"
    code, _, complained = doors.run("submit", questions, "--pipeline", "chat", "--out", answers)
    assert (code, "another run writes its answers into" in complained) == (2, True), complained
    doors.system.start("chat", "write")
    said, _ = asking.communicate(timeout=60)
    assert (asking.returncode, said) == (0, f"1 of 1 questions answered, in {answers}\n")
    assert answers.read_text().count("\n") == 1


def test_what_is_stored_is_looked_up_for_a_batch_too(doors: Doors, tmp_path: Path) -> None:
    doors.system.start("chat", "write")
    doors.system.environment["SIGHTLINE_API_KEY"] = doors.key
    questions, answers = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    asked = "How many vehicles passed today?"
    questions.write_text("\n".join([line("looked", asked, lookups=True), line("bare", asked)]))
    assert doors.run("submit", questions, "--pipeline", "chat", "--out", answers)[0] == 0
    looked, bare = (json.loads(each)["response"]["body"] for each in answers.read_text().splitlines())
    (found,) = looked["lookups"]
    assert found["text"] in looked["choices"][0]["message"]["content"]
    assert (bare["choices"][0]["message"]["content"], "lookups" in bare) == (asked, False)


def test_half_of_a_batch_is_refused(doors: Doors, tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text(line("q1", "Hi"))
    code, _, complained = doors.run("submit", tmp_path / "prompts.jsonl", "--pipeline", "chat")
    assert (code, "--out: name the file for the answers" in complained) == (2, True)
    code, _, complained = doors.run("submit", tmp_path / "prompts.jsonl", "--out", tmp_path / "answers.jsonl")
    assert (code, "--pipeline chat" in complained) == (2, True)


@pytest.fixture(params=["redis", "http"])
def arguments(request: pytest.FixtureRequest, doors: Doors) -> dict[str, Any]:
    return {"url": doors.url, "api_key": doors.key} if request.param == "http" else {"settings": doors.settings}


def test_the_python_client_gives_the_text_as_it_comes(doors: Doors, arguments: dict[str, Any]) -> None:
    doors.system.start("chat", "write")
    with Sightline(**arguments) as client:
        job = client.submit(text="one two three", pipeline="chat")
        assert list(job.pieces()) == ["one", " two", " three"]
        with pytest.raises(BadMessageError, match="has room for 2048"):
            list(client.submit(text="word " * 3000, pipeline="chat").pieces())
        job = client.submit(text=WORDS * 5, pipeline="chat")
        with pytest.raises(JobCancelledError):
            [job.cancel() for _ in job.pieces()]
        questions = [{"text": f"question {number}"} for number in range(20)]
        wrong = {"text": "x", "options": {"temperature": 9}}
        threads = [
            (done.given, done.result and done.result.frames[0].summary, done.error and done.error.reason)
            for done in client.submit_many([*questions, wrong], pipeline="chat", at_once=8)
        ]
    assert threads[:-1] == [(question, question["text"], None) for question in questions]
    assert threads[-1] == (wrong, None, "bad_message")

    async def ask() -> None:
        async with AsyncSightline(**arguments) as waiting:
            job = await waiting.submit(text="one two three", pipeline="chat")
            assert [piece async for piece in job.pieces()] == ["one", " two", " three"]
            loop = [
                (done.given, done.result and done.result.frames[0].summary, done.error and done.error.reason)
                async for done in waiting.submit_many([*questions, wrong], pipeline="chat", at_once=8)
            ]
            assert loop == threads

    asyncio.run(ask())
