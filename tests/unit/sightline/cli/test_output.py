"""What commands print of texts that others wrote."""

from __future__ import annotations

import pytest
from rich.console import Console

from sightline.cli import output
from sightline.cli.output import line, print_rows, show

FOREIGN = ["[/AB 123]", "pip install '.[gpu]'", "[bold]KAB[/bold]", "car [1].jpg", ":car: 7", "ends with \\"]


@pytest.mark.parametrize("text", FOREIGN)
def test_foreign_text_is_printed_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"text": text}], {"text": "plate"}, as_json=False, empty="")
    print_rows([], {}, as_json=False, empty=text)
    output.out.print(line("read ", (text, "bold")))
    assert [found.rstrip() for found in capsys.readouterr().out.splitlines()] == ["plate", text, text, f"read {text}"]


def test_foreign_text_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"text": "a\x1b[2Jb\nc"}], {"text": "plate"}, as_json=False, empty="")
    assert capsys.readouterr().out.splitlines()[1] == "a\\x1b[2Jb\\x0ac"


def test_a_row_in_a_pipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"id": "f" * 64, "url": "x" * 500}], {"id": "frame", "url": "url"}, as_json=False, empty="")
    assert capsys.readouterr().out.splitlines()[1].split() == ["f" * 64, "x" * 500]


def test_a_narrow_terminal_folds_and_cuts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "out", Console(width=40, markup=False, emoji=False, highlight=False))
    frame_id = "0199c1f0a4b2c0ffee00c0ffee00c0ff0199c1f0a4b2c0ffee00c0ffee00c0ff"
    print_rows([{"n": "gate", "id": frame_id}], {"n": "source", "id": "frame"}, as_json=False, empty="")
    lines = capsys.readouterr().out.splitlines()
    assert "".join(row.removeprefix("gate").strip() for row in lines[1:]) == frame_id
    assert max(len(row) for row in lines) <= 40


def test_a_table_that_is_too_wide_becomes_blocks_of_what_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"plate": "plate", "source": "source", "seen": "last seen (UTC)", "list": "on a list", "note": "noted"}
    rows = [
        {"plate": "KAB4721", "source": "gate", "seen": "2026-01-02T03:04:05Z", "note": "stolen"},
        {"plate": "BDR9053", "source": "hall-of-the-north-entrance", "seen": "2026-01-02T03:04:09Z"},
    ]

    def printed(width: int) -> list[str]:
        monkeypatch.setattr(output, "out", Console(width=width, markup=False, emoji=False, highlight=False))
        print_rows(rows, columns, as_json=False, empty="")
        lines = [row.rstrip() for row in capsys.readouterr().out.splitlines()]
        assert max(map(len, lines)) <= width
        return lines

    assert printed(30) == [
        "plate            KAB4721",
        "source           gate",
        "last seen (UTC)  2026-01-02",
        "                 03:04:05",
        "noted            stolen",
        "",
        "plate            BDR9053",
        "source           hall-of-the-n",
        "                 orth-entrance",
        "last seen (UTC)  2026-01-02",
        "                 03:04:09",
    ]
    assert "on a list" not in "".join(printed(50))  # nothing stands there
    assert "on a list" in printed(120)[0]


def test_values_as_people_read_them() -> None:
    assert show([1061.4, 154.0, 1183.2, 185.0]) == "1061,154,1183,185"
    assert (show({}), show({"stale": 3, "backlog": 1})) == ("0", "stale 3, backlog 1")
    assert (show(0), show(0.5), show(None), show(True)) == ("0", "0.50", "", "yes")
    assert show("2026-01-02T03:04:05.678Z") == "2026-01-02 03:04:05"
