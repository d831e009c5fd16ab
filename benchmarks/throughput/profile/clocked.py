"""The app of `null` with clocks in it. For `where`."""

from __future__ import annotations

from benchmarks.throughput.null import app
from benchmarks.throughput.profile import clocks

clocks.install()

__all__ = ["app"]
