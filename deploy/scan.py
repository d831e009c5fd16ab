"""`python -m deploy.scan`: the licences of what the roles install, and known vulnerabilities of what is pinned.

A licence that is not among those below ends with 1. Vulnerabilities are asked for at a service in the internet: where
that does not answer, a sentence says that nobody looked, and it is no failure; with `--strict` it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
CONSTRAINTS: Final = ("constraints.txt", "deploy/constraints-gpu.txt", "deploy/constraints-paddle.txt")
#: Every role that is no image with other terms: `worker-gpu` has ultralytics, AGPL-3.0, and NOTICE says so.
_EXTRAS: Final = ("up", "postgres", "kafka", "chat")
#: Words of licences under which our images may be passed on. LGPL and MPL: used as they are, and replaceable.
_ALLOWED: Final = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Unlicense|CC0|Zlib|HPND|Public Domain|BSL-1\.0"
    r"|LGPL|Lesser General|MPL|Mozilla",
    re.IGNORECASE,
)
_NEVER: Final = re.compile(
    r"AGPL|Affero|(?<!L)(?<!Lesser )GPL|(?<!Lesser )General Public License|SSPL|Commons Clause", re.IGNORECASE
)
_UNREACHABLE: Final = re.compile(
    r"ConnectionError|NameResolution|Max retries|timed out|ServiceError|ProxyError|HTTPError", re.IGNORECASE
)


def installed_for(extras: Iterable[str], project: str = "sightline") -> set[str]:
    """The packages that some extras of a project bring, as far as they are installed here."""
    found, todo = set[str](), [(project, frozenset(extras))]
    while todo:
        name, wanted = todo.pop()
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, required):
            environments = [{"extra": extra} for extra in wanted] or [{"extra": ""}]
            if requirement.marker and not any(map(requirement.marker.evaluate, environments)):
                continue
            needed = canonicalize_name(requirement.name)
            if needed == project:
                todo.append((project, frozenset(requirement.extras)))
            elif needed not in found:
                found.add(needed)
                todo.append((needed, frozenset(requirement.extras)))
    return found


def refused(packages: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each whose licence is not allowed, or not known."""
    lines: list[str] = []
    for package in packages:
        licence = str(package["License"])
        # Of several with OR between them one is enough; metadata with `;` name alternatives, or the same twice.
        choices = re.split(r"\s+OR\s+|;", licence)
        if not any(_ALLOWED.search(choice) and not _NEVER.search(choice) for choice in choices):
            lines.append(
                f"{package['Name']} {package['Version']}: {licence[:80]!r} is not among the licences of deploy/scan.py"
            )
    return lines


def check_licences(tool: str) -> list[str]:
    """Raises CalledProcessError: the tool failed."""
    names = sorted(installed_for(_EXTRAS))
    options = ["--python", sys.executable, "--from", "mixed", "--format", "json", "--with-system", "--packages"]
    done = subprocess.run([tool, *options, *names], capture_output=True, text=True, check=True)
    packages = json.loads(done.stdout)
    print(f"licences: {len(packages)} packages of the extras {', '.join(_EXTRAS)}", flush=True)
    return refused(packages)


@dataclass(frozen=True)
class Audit:
    """What a service said of what some files pin."""

    known: list[str] = field(default_factory=list[str])  #: a line each
    looked_at: int = 0
    skipped: list[str] = field(default_factory=list[str])  #: what it does not know, so that nobody looked

    def __add__(self, other: Audit) -> Audit:
        return Audit(self.known + other.known, self.looked_at + other.looked_at, self.skipped + other.skipped)

    def __str__(self) -> str:
        if not self.looked_at:
            return (
                "vulnerabilities: nobody looked, as the service that knows them does not answer; run this where it does"
            )
        missing = f"; not known there, so not looked at: {', '.join(self.skipped)}" if self.skipped else ""
        return f"vulnerabilities: {len(self.known)} known of {self.looked_at} pinned packages{missing}"


def check_vulnerabilities(tool: str, file: str) -> Audit:
    """Of what a file pins. Raises CalledProcessError: the tool failed."""
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "--format", "json"]
    command = [tool, *options, "--requirement", str(ROOT / file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, LookupError):
        if _UNREACHABLE.search(done.stderr):
            return Audit()
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr) from None
    known = [
        f"{each['name']} {each['version']}: {bad['id']}, mended in {', '.join(bad['fix_versions']) or 'no version yet'}"
        for each in dependencies
        for bad in each.get("vulns", [])
    ]
    # A mirror that has packages and no advisories is as silent as one where all is well: it skips them.
    skipped = [str(each["name"]) for each in dependencies if "vulns" not in each]
    return Audit(known, len(dependencies) - len(skipped), skipped)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.scan", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="not being able to ask is a failure")
    parser.add_argument(
        "--tools", type=Path, default=ROOT / ".venv-release/bin", help="folder of both tools (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        bad = check_licences(os.fspath(options.tools / "pip-licenses"))
        audit = Audit()
        for file in CONSTRAINTS:
            audit += check_vulnerabilities(os.fspath(options.tools / "pip-audit"), file)
            if not audit.looked_at:
                break  # nor would it know the others
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed: {(error.stderr or error.stdout).strip()[-2000:]}", file=sys.stderr)
        return 2
    for line in (*bad, *audit.known, str(audit)):
        print(line)
    is_whole = audit.looked_at > 0 and not audit.skipped
    return 1 if bad or audit.known or (options.strict and not is_whole) else 0


if __name__ == "__main__":
    raise SystemExit(main())
