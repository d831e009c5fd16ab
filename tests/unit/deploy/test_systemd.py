"""The units of systemd run what the images run, and the page about bare metal says the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from deploy.dockerfile import read_stages
from deploy.run_steps import commands_of, with_defaults
from tests.systemd import BIN, FOLDER, ROOT, read_units

UNITS = read_units()
ROLES = {name: unit for name, unit in UNITS.items() if not name.startswith("redis")}
PAGE = (ROOT / "docs/how-to/bare-metal.md").read_text("utf-8")
#: Role, extra, user of Redis.
TABLE = re.findall(r"^\| `([\w-]+)` \| `([\w,]+)` \| `?(\w+)`? \|", PAGE, re.MULTILINE)


def test_every_role_of_the_compose_file_has_a_unit_with_its_command() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    stages = read_stages()
    targets = {
        "writer",
        "api",
        "worker-cpu",
        "worker-gpu",
        "worker-chat",
        "worker-speech",
        "flower",
    }  # PaddleOCR's differs by two settings alone
    wanted = {" ".join(with_defaults(part) for part in c) for t in targets for c in commands_of(stages, t, compose)}
    units = {" ".join(unit.command).removeprefix(BIN) for unit in ROLES.values()}
    on_this_machine = {command.replace("--address=0.0.0.0", "--address=127.0.0.1") for command in wanted}
    assert units == {command for command in on_this_machine if "health" not in command}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_gives_up_what_it_does_not_need(name: str) -> None:
    values = UNITS[name].values
    for setting, value in {"User": "sightline", "NoNewPrivileges": "yes", "ProtectSystem": "strict"}.items():
        assert values[setting] == [value]
    assert values["TimeoutStopSec" if "Restart" in values else "Type"] in (["60"], ["oneshot"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With programs that are there: the virtual environment of this test in place of /opt/sightline's."""
    for path in FOLDER.glob("*.service"):
        text = path.read_text().replace(BIN, f"{Path(sys.executable).parent}/")
        (tmp_path / path.name.replace("@.", "@broker.")).write_text(text)
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(tmp_path) in line]) == (0, [])


def test_the_page_has_each_role_with_the_extra_and_the_user_of_its_unit() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [role for role, _, _ in TABLE] == [name for name in TABLE_ORDER if name in ROLES]
    for role, extra, user in TABLE:
        assert set(extra.split(",")) <= set(extras)
        files = [name for name in ROLES[role].users_files if name != "database.env"]
        assert files == ([] if user == "none" else [f"{user}.env"])
        needs_database = "database.env" in ROLES[role].users_files
        assert ("postgres" in extra) == needs_database


TABLE_ORDER = (
    "migrate",
    "api",
    "camera",
    "worker",
    "worker-gpu",
    "worker-chat",
    "worker-speech",
    "write",
    "deliver",
    "flower",
)


def test_the_page_has_the_exact_commands() -> None:
    (block,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert block.splitlines() == [" ".join(ROLES[name].command).removeprefix(BIN) for name in TABLE_ORDER]
