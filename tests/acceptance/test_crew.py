"""A supervisor whose roles are started and let go while it runs, with real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.acceptance.parts.machine import ROOT

#: Finishes what it holds when it is told to end, which takes longer than it would be given at a stop of all.
SLOW = """
import signal, sys, time
def end(*_):
    time.sleep(3)
    open(sys.argv[1], "a").write("finished ")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1], "a").write("began ")
while True:
    time.sleep(0.1)
"""
#: Ends by itself, and is started again.
SHORT = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(0.3)"

SCRIPT = f"""
import os, signal, sys, time
from sightline.local.supervisor import RoleProcess, supervise

def until(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)

def read(name):
    return open(name).read() if os.path.exists(name) else ""

def beside(crew):
    state = lambda: crew.states(["slow"])["slow"]
    assert state() == "stopped"
    for times in (1, 2):
        crew.start("slow")
        until(lambda: read("slow.txt").count("began") == times)
        assert state() == "running"
        before = len(read("short.txt"))
        crew.let_go("slow")
        crew.say("one goes")
        assert state() == "leaving"
        until(lambda: state() == "stopped")
        assert read("slow.txt").count("finished") == times
        assert len(read("short.txt")) > before, "nobody was looked after meanwhile"
    open("passed", "w").close()
    os.kill(os.getpid(), signal.SIGTERM)
    assert crew.wait(30)

roles = [
    RoleProcess("slow", (sys.executable, "-c", {SLOW!r}, "slow.txt"), grace_s=1, starts=False),
    RoleProcess("short", (sys.executable, "-c", {SHORT!r}, "short.txt"), grace_s=1),
]
supervise(roles, os.environ, beside)
"""


def test_who_is_let_go_finishes_is_not_killed_and_can_be_started_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=90
    )
    assert (tmp_path / "passed").exists(), done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    assert "workers | one goes" in done.stdout
