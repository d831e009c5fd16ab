"""The app of `null` with clocks in it. For `where`."""

from __future__ import annotations

from benchmarks.throughput import clocks
from benchmarks.throughput.null import app

clocks.install()

__all__ = ["app"]
