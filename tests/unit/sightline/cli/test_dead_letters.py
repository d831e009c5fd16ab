"""`sightline dead-letters` before it asks anybody."""

from __future__ import annotations

from typing import Any

import pytest

from sightline.cli import dead_letters, main
from sightline.cli.output import print_rows
from sightline.settings import Settings


def test_brackets_in_a_message_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"message": "pip install '.[gpu]'"}], {"message": "message"}, as_json=False, empty="")
    assert "'.[gpu]'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay"], "--reason, --source, --since"),
        (["discard"], "--reason, --source, --since"),
        (["discard", "0123456789abcdef", "--since", "1h"], "not both"),
        (["--since", "1h", "discard", "--reason", "bad_image"], "options go behind the command"),
        (["--limit", "1", "replay", "--reason", "bad_image"], "options go behind the command"),
    ],
)
def test_a_choice_that_is_none_or_two_is_refused(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sightline", "dead-letters", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert (exit_.value.code, says in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([{"medium": "text", "text": "a b c", "key": None}], "not needed: its text is in the message"),
        ([{"medium": "text", "text": None, "key": "item-0001"}], "not kept: it cannot be replayed"),
        ([], "not kept: it cannot be replayed"),
    ],
)
def test_a_text_in_the_message_needs_no_picture(
    parts: list[Any], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [
        "reason",
        "explanation",
        "message",
        "state",
        "stage",
        "attempt",
        "died_at",
        "source_id",
        "pipeline",
        "job_id",
        "payload",
    ]
    frame = {"frame_id": "item-0001", "name": "letter.txt"} | ({"parts": parts} if parts else {})
    letter = dict.fromkeys(names, "x") | {"times": 1, "links": {}, "frame": frame}
    monkeypatch.setattr(dead_letters, "settings_for", lambda _data: Settings())  # pyright: ignore
    monkeypatch.setattr(dead_letters, "call_api", lambda *_: letter)  # pyright: ignore
    dead_letters.show("0123456789abcdef")
    assert told in capsys.readouterr().out
