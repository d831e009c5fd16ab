"""What goes wrong with files, as our error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sightline.errors import StoreUnavailableError


@contextmanager
def file_errors(root: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(f"frame store {root}: {error}") from error
