"""`python -m tests.fuzz.memory MAX_MPX`: decodes every odd picture and prints the highest peak above what was held."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from pathlib import Path

from sightline.errors import BadImageError
from tests.fuzz.pictures import good, odd_pictures
from workers.pixels.images import decode

_STATUS = Path("/proc/self/status")


def main() -> None:
    max_mpx = float(sys.argv[1])
    made = odd_pictures()
    for _ in range(20):
        decode(good(), max_mpx=max_mpx)
    first_mb = _memory_mb("VmRSS")
    worst = (0.0, "")
    for picture in made:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        held_mb = _memory_mb("VmRSS")
        with suppress(BadImageError):
            decode(picture.data, max_mpx=max_mpx, max_mb=1)
        worst = max(worst, (_memory_mb("VmHWM") - held_mb, picture.kind))
    result = {"pictures": len(made), "peak_mb": round(worst[0], 1), "of": worst[1]}
    print(json.dumps(result | {"grown_mb": round(_memory_mb("VmRSS") - first_mb, 1)}))


def _memory_mb(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    assert found
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
