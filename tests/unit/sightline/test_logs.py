"""What stays out of the log."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import logging, warnings
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer.consumer import CANCEL_TASKS_BY_DEFAULT
from sightline.logs import configure_logging
configure_logging("INFO")
warnings.simplefilter("always")
logging.captureWarnings(True)
for text in (CANCEL_TASKS_BY_DEFAULT, "this is new"):
    warnings.warn(text, CPendingDeprecationWarning)
"""


def test_only_the_warning_that_was_answered_is_left_out() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stderr
    assert said.count("WARNING py.warnings") == 1
    assert "this is new" in said
