"""The API under observation: `python -m benchmarks.chaos.roles.api`, as `python -m producers.api` but that its metrics
look at the books every two seconds.
"""

from __future__ import annotations

from producers.api.__main__ import main
from producers.api.metrics import audit

if __name__ == "__main__":
    audit._EVERY_S = 2.0  # pyright: ignore[reportPrivateUsage, reportConstantRedefinition]
    raise SystemExit(main())
