"""What comes to mind first: a Celery task a prompt, the model in each process of the pool, defaults everywhere.

NAIVE_REDIS_URL=… NAIVE_MODEL=… celery -A benchmarks.chat.peers.naive worker
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

_MODEL: list[Any] = []  #: one a process, opened when the process is

_URL = os.environ.get("NAIVE_REDIS_URL", "redis://127.0.0.1:6379/0")

app = Celery("naive", broker=_URL, backend=_URL)
# The one thing that is not as it comes: a model may take longer to open than a new process is given by default.
app.conf.worker_proc_alive_timeout = 300


@worker_process_init.connect
def open_model(**_: object) -> None:
    """As OpenVINO's own guide does."""
    import openvino_genai as genai

    _MODEL[:] = [genai.LLMPipeline(os.environ["NAIVE_MODEL"], "CPU")]


@app.task
def answer(prompt: str, max_tokens: int) -> int:
    """Returns how many tokens the answer has."""
    (model,) = _MODEL
    done = model.generate([prompt], max_new_tokens=max_tokens, do_sample=False)
    return int(done.perf_metrics.get_num_generated_tokens())
