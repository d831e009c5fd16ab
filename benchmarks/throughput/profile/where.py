"""Where the CPU time of a frame goes: `python -m benchmarks.throughput.profile.where [--models] [--bundle 32]`.

The frames of `null`, or with `--models` those of `sightline`, through one process that runs all stages, with a clock in
every step. The steps and what is left add up to the CPU time of the process. The clocks cost a little themselves: what
a frame costs without them is told by `python -m benchmarks.throughput --only null,sightline`.

How many messages share a commit depends on how fast frames come: `--model-ms 24` lets them come as with models, on a
machine that does something else beside too.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.throughput.pictures import draw_pictures
from benchmarks.throughput.queued import NULL_PICTURE, WARM_UP_FRAMES
from benchmarks.throughput.system import MODELS, STUBS, System, running
from benchmarks.throughput.work import Work

#: As `clocks` and `null` have them, which would import the workers.
_REPORT, _MODEL_MS = "BENCHMARK_CLOCKS", "BENCHMARK_MODEL_MS"
_PICTURES = 16
_REST = "event loop, threads, what has no clock"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput.profile.where", description=__doc__)
    parser.add_argument("--models", action="store_true", help="real pictures and models")
    parser.add_argument("--frames", type=int, help="6144, with models 192")
    parser.add_argument("--bundle", type=int, default=32)
    parser.add_argument(
        "--model-ms", type=float, default=0, help="without models: a picture takes so long all the same (%(default)s)"
    )
    options = parser.parse_args()
    os.environ[_MODEL_MS] = str(options.model_ms)
    frames = options.frames or (192 if options.models else 6144)
    pictures = draw_pictures(_PICTURES) if options.models else [NULL_PICTURE]
    given, app = (MODELS, "clocked_models") if options.models else (STUBS, "clocked")
    with tempfile.TemporaryDirectory(prefix="sightline-where-", ignore_cleanup_errors=True) as name:
        os.environ[_REPORT] = str(Path(name) / "clocks.json")
        work = Work(pictures, frames, Path(name))
        with running(work, given=given, fused=True, app=f"benchmarks.throughput.profile.{app}") as system:
            system.run(work.pictures, min(8 * WARM_UP_FRAMES, frames), options.bundle)
            before, meter = _clocks(system), system.meter()
            began_s = time.thread_time()
            for first in range(0, frames, options.bundle):
                system.publish(work.pictures, first, min(options.bundle, frames - first))
            publish_s = time.thread_time() - began_s
            system.wait()
            after, redis_ms = _clocks(system), meter.cpu_ms(frames)["redis"]
    _show(before, after, frames)
    print(f"| publish | {publish_s / frames * 1e6:.0f} | |")
    print(f"| Redis | {redis_ms * 1000:.0f} | |")


def _clocks(system: System) -> dict[str, Any]:
    path = Path(os.environ[_REPORT])
    path.unlink(missing_ok=True)
    system.processes["worker"].send_signal(signal.SIGUSR2)
    while not path.exists():
        system.check()
        time.sleep(0.02)
    return json.loads(path.read_text())


def _show(before: dict[str, Any], after: dict[str, Any], frames: int) -> None:
    def us(kind: str) -> dict[str, float]:
        spent = {name: (s - before[kind].get(name, 0.0)) / frames * 1e6 for name, s in after[kind].items()}
        return dict(sorted(spent.items(), key=lambda item: -item[1]))

    total = (after["process"] - before["process"]) / frames * 1e6
    steps, threads = us("steps"), us("threads")
    others = max(0.0, total - sum(threads.values()))
    steps |= {"networks, in threads of their own": others, _REST: total - others - sum(steps.values())}
    print("| step | µs a frame | share |\n| --- | --- | --- |")
    for name, each in steps.items():
        print(f"| {name} | {each:.0f} | {each / total:.0%} |")
    print(f"| the worker process | {total:.0f} | |")
    print("threads:", ", ".join(f"{name} {each:.0f}" for name, each in threads.items() if each >= 0.5))


if __name__ == "__main__":
    main()
