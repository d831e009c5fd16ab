"""What `import sightline` promises: a small public list, nothing heavy, no time."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

import sightline

HEAVY = ["torch", "cv2", "numpy", "onnxruntime", "openvino", "sqlalchemy", "fastapi", "celery", "redis", "storage"]


def test_the_public_list_is_what_the_package_exposes() -> None:
    for name in sightline.__all__:
        assert getattr(sightline, name) is not None
    assert sorted(sightline.__all__) == sightline.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = sightline.Nothing


def test_importing_brings_in_nothing_heavy() -> None:
    code = f"import sys, sightline; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_client_brings_in_no_model_and_no_database() -> None:
    heavy = [name for name in HEAVY if name not in ("celery", "redis")]
    code = f"import sys; from sightline import Sightline; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_takes_less_than_0_3_seconds() -> None:
    """The best of five: the machine may be busy, the import may not be slow."""

    def seconds(code: str) -> float:
        started_at = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started_at

    assert min(seconds("import sightline") for _ in range(5)) - min(seconds("pass") for _ in range(3)) < 0.3
