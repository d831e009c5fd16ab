"""`python -m workers.health`: a container's health check. Exit status 0 while the worker makes progress, else 1.

The worker touches its health file while all is well (`workers.housekeeping.liveness`). Nothing is imported from there,
because this runs twice a minute in every container.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

PATTERN = "sightline-worker-*.health"  #: what `workers.housekeeping.liveness.health_file` makes
MAX_AGE_S = 60.0


def newest_age_s(folder: Path) -> float | None:
    """Seconds since a worker last touched its health file in `folder`; None if there is none."""
    touched = [path.stat().st_mtime for path in folder.glob(PATTERN)]
    return time.time() - max(touched) if touched else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.health", description=__doc__)
    parser.add_argument("--max-age-s", type=float, default=MAX_AGE_S, help="older is unhealthy (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the health file lies")
    options = parser.parse_args(arguments)
    age_s = newest_age_s(options.folder)
    if age_s is None:
        print("no worker has reported yet")
        return 1
    print(f"last progress {age_s:.0f} s ago")
    return 0 if age_s <= options.max_age_s else 1


if __name__ == "__main__":
    raise SystemExit(main())
