"""`python -m docs.generate [--check]`: write the pages that follow from the code: settings, commands and rooms.

A block of any page that says which file it shows (```python title="examples/…") is written anew from that file.

With `--check` nothing is written; exit status 1 says which page is out of date.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from sightline.entry_points import OneOf
from sightline.settings import GROUPS, PREFIX, Settings

FOLDER = Path(__file__).parent
_WRITTEN_BY = "<!-- Written by `python -m docs.generate` from {origin}; edit that. -->\n"
#: The unit at the end of a name, and how it reads.
_UNITS = {"_days": "days", "_s": "seconds", "_ms": "milliseconds", "_mb": "megabytes", "_mpx": "megapixels"}


def settings_page() -> str:
    """Every setting, in its group."""
    parts = [
        "# Settings\n",
        _WRITTEN_BY.format(origin="`sightline/settings/`"),
        "Each is an environment variable. Order: options of the command, environment, `<data_dir>/run.env` (written\n"
        "by `sightline up`), default. A name that begins with the prefix and is not listed here is refused.\n",
    ]
    for title, names in _groups().items():
        parts.append(f"## {title}\n")
        parts.append("| variable | default | value | meaning |\n| --- | --- | --- | --- |")
        parts += [_row(name, Settings.model_fields[name]) for name in names]
        parts.append("")
    return "\n".join(parts)


def cli_page() -> str:
    """The help of every command, as typer writes it."""
    command = [sys.executable, "-m", "typer", "sightline.cli", "utils", "docs", "--name", "sightline"]
    plain = {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "120"}
    done = subprocess.run(command, env={**os.environ, **plain}, capture_output=True, text=True, check=True)
    heading, _, body = done.stdout.strip().partition("\n")
    import sightline.cli

    codes = inspect.cleandoc(sightline.cli.__doc__ or "").partition("\n\n")[2]
    body = body.replace(str(Path.home()), "~").replace("&#x27;", "'").strip()  # typer escapes more than Markdown needs
    return "\n\n".join([heading, _WRITTEN_BY.format(origin="`sightline/cli/`").strip(), codes, body]) + "\n"


def rooms_page() -> str:
    """Every folder of the product with what it is for, and the first line of each of its modules."""
    parts = [
        "# Where things live\n",
        _WRITTEN_BY.format(origin="the docstrings of packages and modules"),
        "A folder is one concern, a *room*; a file is one noun. A room imports rooms on lower floors only: these are\n"
        "in [`pyproject.toml`](../../pyproject.toml), and `lint-imports` checks them. Begin where your question is.\n",
    ]
    for package in ("sightline", "storage", "workers", "producers"):
        parts.append(f"## {package}\n")
        for room in sorted({path.parent for path in (FOLDER.parent / package).rglob("*.py")}):
            if "migrations" not in room.parts:
                parts += _room(room, is_package=room.name == package)
    return "\n".join(parts)


def _room(room: Path, *, is_package: bool) -> list[str]:
    place = room.relative_to(FOLDER.parent)
    files = [path for path in sorted(room.glob("*.py")) if path.name != "__init__.py"]
    rows = [f"| [`{path.stem}`](../../{path.relative_to(FOLDER.parent)}) | {_first_line(path)} |" for path in files]
    heading = [] if is_package else [f"### {place}\n"]
    return [*heading, f"{_first_line(room / '__init__.py')}\n", "| module | |\n| --- | --- |", *rows, ""]


def _first_line(path: Path) -> str:
    """Of its docstring, up to the end of its first paragraph."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("|", "\\|")


def _with_files(text: str) -> str:
    """A page with each block that names a file as that file is now."""
    shown = re.compile(r'^(```\w+ title="([^"]+)"\n).*?^```', re.MULTILINE | re.DOTALL)
    return shown.sub(lambda block: f"{block[1]}{(FOLDER.parent / block[2]).read_text('utf-8')}```", text)


PAGES = {"reference/settings.md": settings_page, "reference/cli.md": cli_page, "reference/rooms.md": rooms_page}


def _groups() -> dict[str, list[str]]:
    return {
        group.title: [name for name in vars(group)["__annotations__"] if name in Settings.model_fields]
        for group in GROUPS
    }


def _row(name: str, field: FieldInfo) -> str:
    variable = f"`{PREFIX}{name.upper()}`"
    if isinstance(field.validation_alias, AliasChoices):
        others = [str(other) for other in field.validation_alias.choices if str(other).isupper()]
        variable = " or ".join(f"`{other}`" for other in others)
    return f"| {variable} | {_default(field)} | {_kind(name, field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default is None or default == "":
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{str(default).replace(str(Path.home()), '~')}`"


def _kind(name: str, field: FieldInfo) -> str:
    """What a value looks like: choices, or type, unit and range."""
    annotation: Any = field.annotation
    if typing.get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(annotation))
    if one_of := next((rule for rule in field.metadata if isinstance(rule, OneOf)), None):
        return ", ".join([*(f"`{choice}`" for choice in one_of.ours), "or that of a package"])
    if annotation is bool:
        return "`true` or `false`"
    if annotation is SecretStr:
        return "secret"
    if annotation in (int, float):
        unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "number")
        return " ".join([unit, *filter(None, [_range(field)])])
    return "path" if Path in (annotation, *typing.get_args(annotation)) else "text"


def _range(field: FieldInfo) -> str:
    limits = {
        sign: getattr(rule, attribute)
        for rule in field.metadata
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if getattr(rule, attribute, None) is not None
    }
    if set(limits) == {"≥", "≤"}:
        return f"{limits['≥']}..{limits['≤']}"
    return ", ".join(f"{sign} {limit}" for sign, limit in limits.items())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    check: bool = parser.parse_args().check
    stale: list[str] = []
    made = {FOLDER / name: make() for name, make in PAGES.items()}
    made |= {path: _with_files(path.read_text("utf-8")) for path in FOLDER.rglob("*.md") if path not in made}
    for path, text in made.items():
        name = str(path.relative_to(FOLDER))
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, "utf-8")
            print(f"docs/{name} written")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run `python -m docs.generate`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
