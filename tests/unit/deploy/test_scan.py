"""What is found by licences and vulnerabilities, and what is said where nobody can be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import scan


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "BSD License",
        "BSD-3-Clause AND MIT",
        "Apache Software License; BSD License",
        "Mozilla Public License 2.0 (MPL 2.0)",
        "GNU Lesser General Public License v3 (LGPLv3)",
        "LGPL-3.0-only",
        "GPL-2.0-or-later OR MIT",
        "PSF-2.0",
    ],
)
def test_what_may_be_passed_on_is_allowed(licence: str) -> None:
    assert scan.refused([{"Name": "thing", "Version": "1", "License": licence}]) == []


@pytest.mark.parametrize(
    "licence",
    [
        "AGPL-3.0",
        "GNU Affero General Public License v3",
        "GPL-3.0-only",
        "GNU General Public License v2 (GPLv2)",
        "UNKNOWN",
        "",
    ],
)
def test_what_may_not_or_is_not_known_is_named(licence: str) -> None:
    (line,) = scan.refused([{"Name": "thing", "Version": "1", "License": licence}])
    assert line.startswith(f"thing 1: {licence[:80]!r} is not among")


def test_packages_are_those_of_the_roles_and_what_these_need() -> None:
    found = scan.installed_for(("postgres",))
    assert {"celery", "kombu", "psycopg", "psycopg-binary", "sqlalchemy", "vine"} <= found
    assert not {"pytest", "pyright", "fastapi", "sightline"} & found
    assert "fastapi" in scan.installed_for(("up",))


def tool(folder: Path, name: str, output: str, *, says: str = "", status: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\necho '{says}' >&2\nexit {status}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    tool(tmp_path, "pip-licenses", '[{"Name": "kombu", "Version": "5", "License": "BSD License"}]')
    tool(tmp_path, "pip-audit", '{"dependencies": [{"name": "kombu", "version": "5", "vulns": []}]}')
    return tmp_path


def test_all_well(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan.main(["--tools", str(tools)]) == 0
    assert "vulnerabilities: 0 known of 3 pinned packages\n" in capsys.readouterr().out
    assert scan.main(["--tools", str(tools), "--strict"]) == 0


def test_a_vulnerability_is_a_failure_that_says_what_mends_it(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = '{"id": "PYSEC-1", "fix_versions": ["5.1"]}'
    tool(tools, "pip-audit", f'{{"dependencies": [{{"name": "kombu", "version": "5", "vulns": [{bad}]}}]}}', status=1)
    assert scan.main(["--tools", str(tools)]) == 1
    assert "kombu 5: PYSEC-1, mended in 5.1" in capsys.readouterr().out


def test_what_was_skipped_is_not_taken_for_well(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mirror with packages and without advisories answers like one of a world without vulnerabilities."""
    skipped = '{"name": "vine", "skip_reason": "Dependency not found"}'
    tool(tools, "pip-audit", f'{{"dependencies": [{skipped}]}}')
    assert scan.main(["--tools", str(tools)]) == 0
    assert "nobody looked" in capsys.readouterr().out
    assert scan.main(["--tools", str(tools), "--strict"]) == 1
    well = '{"name": "kombu", "version": "5", "vulns": []}'
    tool(tools, "pip-audit", f'{{"dependencies": [{well}, {skipped}]}}')
    assert scan.main(["--tools", str(tools)]) == 0
    assert "not looked at: vine, vine, vine" in capsys.readouterr().out
    assert scan.main(["--tools", str(tools), "--strict"]) == 1


def test_where_nobody_can_be_asked_that_is_said_and_fails_only_where_it_must_not_be(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool(tools, "pip-audit", "", says="ConnectionError: Max retries exceeded", status=1)
    assert scan.main(["--tools", str(tools)]) == 0
    assert "nobody looked" in capsys.readouterr().out
    assert scan.main(["--tools", str(tools), "--strict"]) == 1


def test_a_tool_that_breaks_is_not_taken_for_one_that_found_nothing(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool(tools, "pip-audit", "", says="no such option", status=2)
    assert scan.main(["--tools", str(tools)]) == 2
    assert "no such option" in capsys.readouterr().err
