"""The workers' Celery app, which also notes when the rows of each job were committed. For `latency`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from storage.results.store import Store
from workers.app import app

__all__ = ["app"]

#: Environment variable: the file the times go to, a job and its `time.perf_counter()` a line.
ROW_TIMES: Final = "BENCHMARK_ROW_TIMES"


def _install() -> None:
    path, store = Path(os.environ[ROW_TIMES]), Store.store

    def noting(self: Store, messages: Any, kept: Any) -> Any:
        stored = store(self, messages, kept)
        now_s = time.perf_counter()
        with path.open("a") as file:
            file.writelines(f"{one.job_id} {now_s}\n" for one in stored)
        return stored

    Store.store = noting


_install()
