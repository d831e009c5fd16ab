"""The fonts that drawn plates are made of: Debian packages, which not every machine has."""

from __future__ import annotations

import pytest

from training.plates.drawing.fonts import check_fonts

try:
    check_fonts()
except FileNotFoundError as error:  # names the packages
    _missing = str(error)
else:
    _missing = ""

needs_fonts = pytest.mark.skipif(bool(_missing), reason=_missing)
