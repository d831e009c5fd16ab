"""`sightline dead-letters` before it asks anybody."""

from __future__ import annotations

import pytest

from sightline.cli import main
from sightline.cli.output import print_rows


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
