"""What `import sightline` promises: a small public list, and nothing heavy."""

from __future__ import annotations

import builtins
import pydoc
import re
import subprocess
import sys
from importlib import metadata

import pytest

import sightline
from sightline import Sightline, SubmittedJob

HEAVY = ["torch", "cv2", "numpy", "onnxruntime", "openvino", "sqlalchemy", "fastapi", "celery", "redis", "storage"]


def test_the_public_list_is_what_the_package_exposes() -> None:
    for name in sightline.__all__:
        assert getattr(sightline, name) is not None
    assert sorted(sightline.__all__) == sightline.__all__


def test_help_shows_the_clients_and_the_errors_they_raise() -> None:
    told = pydoc.render_doc(sightline, renderer=pydoc.plaintext)
    assert [name for name in sightline.__all__ if name not in told] == []
    assert "submit(self, *images" in told


def test_docstrings_name_errors_that_can_be_imported_from_the_package() -> None:
    texts = [object.__doc__ or "" for object in (*vars(Sightline).values(), *vars(SubmittedJob).values())]
    named = {name for text in texts for name in re.findall(r"\w+Error", text)}
    assert {"BacklogFullError", "StoreUnavailableError", "WaitTimeoutError"} <= named
    assert named - vars(builtins).keys() <= set(sightline.__all__)


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


def test_importing_brings_in_pydantic_and_nothing_else_that_is_installed() -> None:
    """What is not imported takes no time, on any machine."""
    code = "import sys; before = set(sys.modules); import sightline; print(*(sys.modules.keys() - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    came = {name.partition(".")[0] for name in done.stdout.split()}
    installed = came & metadata.packages_distributions().keys()
    assert installed == {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
