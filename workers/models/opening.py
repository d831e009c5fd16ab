"""A model that a stage needs: open, being opened, or not to be had just now.

Opening may take minutes where weights are downloaded first, so nobody else waits for it. What failed is tried again by
a later job: whoever puts a missing file in its place need not start the worker again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from sightline.errors import ModelError

T = TypeVar("T")

_TRIED_AGAIN_AFTER_S = 2.0


class Opening(Generic[T]):
    """Opens one thing in a thread of its own, when it is first asked for."""

    def __init__(self, open_it: Callable[[], T]) -> None:
        self._open_it = open_it
        self._again_at = 0.0
        self._lock = threading.Lock()
        self._future: Future[T] | None = None

    @property
    def opened(self) -> T | None:
        """It, if it is open; nothing is begun."""
        future = self._future
        return future.result() if future and future.done() and not future.exception() else None

    def get(self, *, wait: bool) -> T | None:
        """It; None: it is being opened, ask again in a moment. With `wait` never None.

        Raises:
            ModelError: it could not be opened, a moment ago or now.
        """
        with self._lock:
            if self._future is None or self._is_due_again(self._future):
                self._future = Future()
                threading.Thread(target=self._open, args=(self._future,), name="open a model", daemon=True).start()
            future = self._future
        if not wait and not future.done():
            return None
        try:
            return future.result()
        except ModelError as error:
            raise ModelError(str(error), model=error.model) from None  # its traceback grows with each raise

    def _is_due_again(self, future: Future[T]) -> bool:
        return future.done() and future.exception() is not None and time.monotonic() >= self._again_at

    def _open(self, future: Future[T]) -> None:
        try:
            opened = self._open_it()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asks
            self._again_at = time.monotonic() + _TRIED_AGAIN_AFTER_S
            future.set_exception(error)
        else:
            future.set_result(opened)
