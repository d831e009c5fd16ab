"""What stays out of the log, and what a role says at its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sightline.settings import load_settings, log_settings

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


GIVEN_BACK = """
from celery.exceptions import Reject
import logging
from sightline.logs import configure_logging
configure_logging("INFO")
for error in (Reject("stopping", requeue=True), ValueError("broken")):
    try:
        raise error
    except Exception:
        logging.getLogger("celery.app.trace").warning("a task ended: %r", error, exc_info=True)
"""


def test_a_message_given_back_is_one_line_and_what_broke_has_its_traceback() -> None:
    said = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True).stderr
    assert (said.count("a task ended"), said.count("Traceback")) == (2, 1)
    assert "ValueError: broken" in said


def test_what_a_role_was_told_is_said_once_without_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (tmp_path / "run.env").write_text("SIGHTLINE_API_URL=http://127.0.0.1:1\n")
    log_settings(
        load_settings(data_dir=tmp_path, redis_url="redis://worker:hunter2@queues/0", api_key="sl_1", threads=2)
    )
    assert "SIGHTLINE_REDIS_URL=redis://***@queues/0" in caplog.text
    assert "SIGHTLINE_THREADS=2" in caplog.text
    assert "restart to change them" in caplog.text
    for secret in ("hunter2", "sl_1", "SIGHTLINE_API_URL"):  # the last is in the file that the process found by itself
        assert secret not in caplog.text
