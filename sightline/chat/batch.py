"""OpenAI's batch format: a file of questions, one JSON a line with its `custom_id`, and a file of their answers."""

from __future__ import annotations

import codecs
import errno
import fcntl
import json
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sightline.chat.completion import ChatCompletion
from sightline.chat.errors import as_error
from sightline.chat.request import ChatRequest
from sightline.errors import BadMessageError, SightlineError, SourceError

URL: Final = "/v1/chat/completions"
CustomId = Annotated[str, Field(min_length=1, max_length=512)]


class BatchLine(BaseModel):
    """A line of questions."""

    model_config = ConfigDict(extra="ignore")

    custom_id: CustomId
    method: Literal["POST"] = "POST"
    url: Literal["/v1/chat/completions"] = URL
    body: ChatRequest


class _Named(BaseModel):
    """Of a line that is wrong: whose it is, if that can be known."""

    model_config = ConfigDict(extra="ignore")

    custom_id: CustomId


class Prompt(NamedTuple):
    """One line, or what is wrong with it."""

    number: int  #: in its file, from 1
    text: str
    custom_id: str | None
    asked: ChatRequest | None = None
    error: SightlineError | None = None


def read_prompts(path: Path) -> Iterator[Prompt]:
    """The questions in a file. What is wrong with a line is its answer, and no end of the others.

    Raises:
        SourceError: the file cannot be read.
    """
    seen: set[str] = set()
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _once(_parse(number, line), seen)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _parse(number: int, line: bytes) -> Prompt:
    line = line.removeprefix(codecs.BOM_UTF8)  # Windows begins a file with it, and several may have been joined
    text = line.decode("utf-8", "replace").strip()
    try:
        parsed = BatchLine.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        wrong = BadMessageError(f"line {number}: {field and f'{field}: '}{first['msg']}", field=field)
        return Prompt(number, text, _custom_id(line), error=wrong)
    return Prompt(number, text, parsed.custom_id, parsed.body, _refused(parsed.body))


def _refused(asked: ChatRequest) -> BadMessageError | None:
    """A batch goes past the API, which alone keeps conversations: nothing would be told of what was said before."""
    if asked.conversation is None:
        return None
    said = "conversation: a batch goes on with none; leave it out, and bring what was said before in messages"
    return BadMessageError(said, field="conversation")


def _once(prompt: Prompt, seen: set[str]) -> Prompt:
    """Whoever reads the answers finds them by their `custom_id`."""
    if prompt.custom_id is None:
        return prompt
    if prompt.custom_id in seen:
        said = f"line {prompt.number}: custom_id: {prompt.custom_id!r} was given before; each line needs its own"
        return prompt._replace(asked=None, error=BadMessageError(said, field="custom_id"))
    seen.add(prompt.custom_id)
    return prompt


def _custom_id(line: bytes) -> str | None:
    try:
        return _Named.model_validate_json(line).custom_id
    except ValidationError:
        return None


def answered(prompt: Prompt, completion: ChatCompletion, job_id: str) -> dict[str, Any]:
    """The line of an answer."""
    body = completion.model_dump(mode="json", exclude_none=True)
    return _line(prompt, job_id, {"status_code": 200, "request_id": job_id, "body": body}, None)


def failed(prompt: Prompt, error: SightlineError, job_id: str = "") -> dict[str, Any]:
    """The line of a question without an answer."""
    status, body = as_error(error)
    if prompt.asked is None:
        return _line(prompt, job_id, None, {"code": error.reason, "message": str(error)})
    return _line(prompt, job_id, {"status_code": status, "request_id": job_id, "body": body}, None)


def _line(prompt: Prompt, job_id: str, response: Any, error: Any) -> dict[str, Any]:
    identity = f"batch_req_{job_id or prompt.number}"
    return {"id": identity, "custom_id": prompt.custom_id, "response": response, "error": error}


class AnswerFile:
    """The answers, line by line in the order of the questions. One that was begun is gone on with.

    It is one run's alone: two that write into it would each append what the other has.

    Raises:
        BadMessageError: another run writes into it, or it holds something else.
        SourceError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _opened_alone(path)
        self.lines: list[str | None] = []  #: the `custom_id` of each answer that was there
        self.failed = 0  #: of these
        self._keep_whole_lines()

    def check(self, prompt: Prompt, number: int) -> None:
        """Raises BadMessageError where the answer that is there is to another question."""
        if self.lines[number] != prompt.custom_id:
            raise BadMessageError(
                f"--out: answer {number + 1} in {self._path} is to {self.lines[number]!r}, and question {number + 1} "
                f"is {prompt.custom_id!r}: it is of another file; name a new one",
                field="out",
            )

    def append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Others may go on with it."""
        self._file.close()

    def _keep_whole_lines(self) -> None:
        """A line that was being written when its process was killed is written again."""
        try:
            self._file.seek(0)
            end = 0
            while line := self._file.readline():
                if not line.endswith(b"\n"):
                    break
                self._take(line)
                end = self._file.tell()
            self._file.truncate(end)
        except OSError as error:
            raise SourceError(f"--out: {self._path}: {error.strerror}") from error

    def _take(self, line: bytes) -> None:
        try:
            found = json.loads(line)
            self.lines.append(found["custom_id"])
            self.failed += has_failed(found)
        except (ValueError, KeyError, TypeError) as error:
            raise BadMessageError(
                f"--out: {self._path}: line {len(self.lines) + 1} is no answer; name a new file", field="out"
            ) from error


def _opened_alone(path: Path) -> BufferedRandom:
    try:
        file = path.open("a+b")
    except OSError as error:
        raise SourceError(f"--out: {path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return file  # of a file system that knows no locks
        file.close()
        raise BadMessageError(
            f"--out: another run writes its answers into {path}; wait for it, or name another file", field="out"
        ) from error
    return file


def has_failed(line: dict[str, Any]) -> bool:
    return line["error"] is not None or line["response"]["status_code"] != 200
