"""Recordings through real processes: the command line, two workers side by side, and one that is killed in between."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from producers.api.accounting.books import get_audit
from sightline import JobStatus, Sightline
from sightline.delivery.publisher import Publisher
from sightline.pipelines.speech import TranscribeResult
from tests.acceptance.parts.system import ROOT, System
from tests.voices import as_kind, as_wav, silence, talk

SENTENCES = 10


def test_a_folder_of_recordings_becomes_subtitles(redis_url: str, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    (calls / "short.m4a").write_bytes(as_kind(talk(2), "m4a"))
    (calls / "film.mp4").write_bytes(as_kind(talk(1), "", picture=True))
    (calls / "silent.wav").write_bytes(as_wav(silence(2)))
    (calls / "letter.txt").write_text("Dear Sir,")
    system = System(tmp_path, redis_url)
    system.start("transcribe", "write")
    out = tmp_path / "out"
    out.mkdir()

    def submit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sightline", "submit", *map(str, arguments), "--pipeline", "transcribe"]
        environment = system.environment | {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    try:
        done = submit(calls, "--out", out, "--format", "srt")
        assert done.returncode == 3, done.stderr  # the letter was left out
        assert "letter.txt" in done.stderr
        assert {path.name for path in out.iterdir()} == {"short.srt", "film.srt", "silent.srt"}
        assert (out / "silent.srt").read_text() == ""
        first = (out / "short.srt").read_text()
        assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\nthe weather was", first), first
        again = submit(calls / "short.m4a", "--format", "txt")
        assert again.returncode == 0, again.stderr
        assert again.stdout.splitlines()[0].startswith("the weather was")
        bad = submit(calls / "letter.txt", "--wait", "--json")
        assert bad.returncode == 1
        assert "is no sound that can be read" in json.loads(bad.stdout)["error"]["message"]
    finally:
        system.stop()


def test_two_workers_share_a_recording_and_one_that_is_killed_loses_nothing(redis_url: str, tmp_path: Path) -> None:
    sound = as_wav(np.concatenate([talk(SENTENCES, pause_s=1.0)]))
    system = System(tmp_path, redis_url, speech_shard_s=5)
    system.start("transcribe1", "transcribe2", "write")
    try:
        with Sightline(system.settings) as client:
            undisturbed = client.submit(sound=sound, pipeline="transcribe").wait(120)
            (whole,) = undisturbed.frames
            assert isinstance(whole, TranscribeResult)
            assert len(whole.stages[0].worker.split(", ")) == 2
            assert len(whole.segments) >= SENTENCES * 0.7

            job = client.submit(sound=sound, pipeline="transcribe", source_id="other")
            wait_until_cut(system, job.job_id)
            system.kill("transcribe1")
            system.workers["transcribe1"].wait(10)
            system.start("transcribe1")
            result = client.wait(job.job_id, 120)
            system.wait_until_quiet()
            (found,) = result.frames
            assert isinstance(found, TranscribeResult)
            assert (result.status, found.missing) == (JobStatus.STORED, ())
            assert (found.text, found.segments) == (whole.text, whole.segments)
            with system.database() as database:
                services: Any = type("Services", (), {"publisher": client.publisher, "database": database})
                assert get_audit(cast("Any", services)).balanced
    finally:
        system.stop()


def wait_until_cut(system: System, job_id: str) -> None:
    """Until its shards are on the queue, and not all are read."""
    publisher = Publisher.from_settings(system.settings)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for job in publisher.ledger.open_jobs():
            cut = publisher.ledger.arrivals.shards(job, "transcribe") if job.job_id == job_id else None
            if cut is not None:
                assert cut.missing, "all were read before anything could be killed"
                return
        time.sleep(0.02)
    raise AssertionError(f"{job_id} was not cut")
