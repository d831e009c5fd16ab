"""What a second worker gives a long recording: `python -m benchmarks.speech [SOUND] [--minutes 10]`.

One worker and two read the same recording in turns, in a system of their own; without SOUND flite speaks it (Debian:
flite). Says how long each took, the ratio, what of the time is spent before anything can be shared (decoding and
cutting), whether the text is the same as that of the uncut recording, and how much memory a worker took at most.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import wave
from pathlib import Path
from statistics import median

from sightline import Sightline
from sightline.capacity.system import running
from sightline.pipelines.speech import TranscribeResult
from sightline.types import Pipeline
from workers.speech.cutting import cut
from workers.speech.decoding import Sound

_SENTENCES = (
    "The weather was cold and the river was high.",
    "We walked along the road to the old house on the hill.",
    "My brother opened the door and looked inside.",
    "There was nobody there.",
    "On the table we found a letter and a small key.",
    "He took the key and put it in his pocket.",
    "Then we heard a noise in the garden.",
)
_PAUSE_S = 0.7


def speak(folder: Path, minutes: float) -> bytes:
    """A WAV of so many minutes."""
    pieces, rate = list[bytes](), 16_000
    for number, sentence in enumerate(_SENTENCES):
        path = folder / f"{number}.wav"
        subprocess.run(["flite", "-voice", "rms", "-t", sentence, "-o", str(path)], check=True)
        with wave.open(str(path)) as file:
            rate = file.getframerate()
            pieces.append(file.readframes(file.getnframes()) + bytes(2 * int(_PAUSE_S * rate)))
    path, wanted = folder / "all.wav", int(minutes * 60 * rate * 2)
    story = b"".join(pieces)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((story * (wanted // len(story) + 1))[:wanted])
    return path.read_bytes()


def read(folder: Path, sound: bytes, workers: int, shard_s: float) -> tuple[float, float, int, TranscribeResult]:
    """Seconds it took, CPU seconds and most megabytes of a worker, and the result."""
    roles = {f"transcribe{number}": ("transcribe",) for number in range(workers)} | {"write": ("write",)}
    with running(
        folder, roles, given={"speech_shard_s": shard_s}, pipeline=Pipeline.TRANSCRIBE, medium="audio"
    ) as system:
        with Sightline(system.settings) as client:
            client.submit(sound=sound[: 44 + 32_000 * 5], pipeline="transcribe").wait(120)  # all are up
            pids = [system.processes[f"transcribe{number}"].pid for number in range(workers)]
            before_s, began = sum(map(cpu_s, pids)), time.perf_counter()
            (result,) = client.submit(sound=sound, pipeline="transcribe").wait(3600).frames
            took_s = time.perf_counter() - began
        assert isinstance(result, TranscribeResult)
        return took_s, sum(map(cpu_s, pids)) - before_s, max(map(most_mb, pids)), result


def cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100


def most_mb(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speech", description=__doc__)
    parser.add_argument("sound", nargs="?", type=Path, help="a recording")
    parser.add_argument("--minutes", type=float, default=10.0, help="of what is spoken without one")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-speech-") as name:
        folder = Path(name)
        sound = arguments.sound.read_bytes() if arguments.sound else speak(folder, arguments.minutes)
        began_s = time.process_time()
        samples = sum(map(len, cut(Sound(sound, "sound", 1e6).blocks(), lambda *_: 30.0)))
        cutting_s = time.process_time() - began_s
        print(
            f"{samples / 16_000 / 60:.1f} minutes; decoding and cutting, by one worker: {cutting_s:.2f} s of CPU time"
        )
        took: dict[int, list[float]] = {1: [], 2: []}
        texts: dict[str, str] = {}
        for _ in range(arguments.rounds):
            for workers in took:
                seconds, spent_s, mb, result = read(folder, sound, workers, 30)
                took[workers].append(seconds)
                texts[f"{workers} workers"] = result.text or ""
                shown = f"{seconds:.1f} s, {spent_s:.1f} s of CPU time, at most {mb} MB"
                print(f"{workers} workers: {shown}, {len(result.segments)} segments, {len(result.missing)} missing")
        *_, mb, uncut = read(folder, sound, 1, samples / 16_000)
        print(
            f"uncut: at most {mb} MB, text {'the same' if {uncut.text, *texts.values()} == {uncut.text} else 'ANOTHER'}"
        )
        print(f"two workers against one: {median(took[1]) / median(took[2]):.2f} x")


if __name__ == "__main__":
    main()
