"""Flask: a route that takes a photo and answers with the plates on it."""

from __future__ import annotations

import functools

from flask import Flask, Response, jsonify, request

from sightline import BadImageError, RetryableError, Sightline, WaitTimeoutError

app = Flask(__name__)


@functools.cache
def sightline() -> Sightline:
    """One client for each process; its threads share it."""
    return Sightline()


@app.post("/read")
def read() -> Response:
    job = sightline().submit(request.files["photo"].read(), source_id="reception")
    result = job.wait(timeout_s=10)
    return jsonify(plates=[reading.text for reading in result.readings])


@app.errorhandler(BadImageError)
def refuse(error: BadImageError) -> tuple[Response, int]:
    return jsonify(error=str(error)), 422


@app.errorhandler(WaitTimeoutError)
def not_yet(error: WaitTimeoutError) -> tuple[Response, int]:
    return jsonify(error=str(error)), 202


@app.errorhandler(RetryableError)
def try_again(error: RetryableError) -> tuple[Response, int]:
    return jsonify(error=str(error)), 503
