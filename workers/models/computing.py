"""Who needs the cores at this moment: a call of a model that nobody computes beside has all threads, any other a share.

Threads that work on one picture wait for each other: together they take a fourth more CPU time than one. Where cores
are idle that does not matter, and the picture is done sooner; where another model or the decoder wants them it does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final


class Computing:
    """Counts the calls that compute. Safe to share between threads."""

    def __init__(self) -> None:
        self._calls = 0
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[bool]:
        """While it lasts one more computes. Gives whether nobody else did when it began."""
        with self._lock:
            is_alone = self._calls == 0
            self._calls += 1
        try:
            yield is_alone
        finally:
            with self._lock:
                self._calls -= 1


#: Of this process, whose models share its cores.
computing: Final = Computing()
