"""Python imports this by itself at its start: whatever HIDDEN_MODULES names is then as if it were not installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Hiding:
    """Finds what a finder finds, but for some."""

    def __init__(self, finder: Any, names: frozenset[str]) -> None:
        self._finder = finder
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        is_hidden = fullname.partition(".")[0] in self._names
        return None if is_hidden else self._finder.find_spec(fullname, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


_names = frozenset(os.environ["HIDDEN_MODULES"].split())
sys.meta_path[:] = [_Hiding(finder, _names) for finder in sys.meta_path]
