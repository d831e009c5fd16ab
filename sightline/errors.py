"""Every error Sightline raises on purpose, as one tree.

::

    SightlineError
    ├── SettingsError            a setting is missing, unknown or out of range
    ├── RetryableError           the same work may succeed later
    │   ├── BrokerUnavailableError
    │   │   └── NotPermittedError        it refuses this user a command or a key: somebody has to grant it
    │   ├── StoreUnavailableError    frame store or database did not answer
    │   ├── EngineUnavailableError   a server that reads or answers for us did not
    │   ├── BacklogFullError         admission refused the job: too much is open
    │   │   └── TokensUsedError          its API key has asked for too many tokens this minute
    │   └── WaitTimeoutError         the result did not come in time; the job goes on
    ├── PoisonError              this input can never succeed: dead letter at once
    │   ├── BadImageError            not an image we accept, or a damaged one
    │   ├── BadSoundError            a recording without sound, too long, or damaged
    │   ├── BadMessageError          a message or request does not have the agreed shape
    │   │   └── NewerMessageError        it is of a version or pipeline that is unknown here; others may know it
    │   ├── FrameMissingError        the pixels of a frame ref are gone
    │   └── UnsafeUrlError           a URL that must not be fetched
    ├── JobCancelledError        somebody cancelled the job that a stage works on, or whose answer is waited for
    ├── AnswerError              a question has no answer, or a part of one alone
    ├── ModelError               weights are unknown, missing or damaged
    └── SourceError              a camera or file cannot be read

The class decides what happens next: retryable errors are waited out, poison becomes a dead letter with its
reason, everything outside this tree is a bug and is loud.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SightlineError(Exception):
    """Root of the tree. `reason` is a stable word for counters and dead letters; the text is for people.

    All may be pickled: Celery, multiprocessing and others hand errors on like that, and would else make others of them.
    """

    reason = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args), self.__dict__


class SettingsError(SightlineError):
    reason = "bad_setting"


class RetryableError(SightlineError):
    reason = "unavailable"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BrokerUnavailableError(RetryableError):
    reason = "broker_unavailable"


class NotPermittedError(BrokerUnavailableError):
    """Redis or RabbitMQ refuses a command, a key or the user. Waiting alone does not help; the text says what does."""

    reason = "not_permitted"


class NotLetInError(NotPermittedError):
    """Redis does not know the user, or the password is wrong."""


class StoreUnavailableError(RetryableError):
    """`cause` is a stable word for why: `read_only`, `disk_full`, ... of a database; else empty."""

    reason = "store_unavailable"

    def __init__(self, message: str, *, cause: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.cause = cause


class EngineUnavailableError(RetryableError):
    reason = "engine_unavailable"


class BacklogFullError(RetryableError):
    """Admission refused a job. `source_id` is the source that is full; None: too much is open in total."""

    reason = "backlog_full"

    def __init__(self, message: str, *, source_id: str | None = None, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.source_id = source_id


class TokensUsedError(BacklogFullError):
    """An API key may have more tokens read and answered when `retry_after_s` are over.

    `headers` say how its tokens stand, for an HTTP response.
    """

    reason = "tokens_per_minute"

    def __init__(self, message: str, *, retry_after_s: float = 1.0, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.headers = dict(headers or {})


class WaitTimeoutError(RetryableError):
    """Raised by `SubmittedJob.wait`. The job itself goes on: wait again, or look it up by `job_id` later."""

    reason = "wait_timeout"

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class PoisonError(SightlineError):
    reason = "poison"


class BadImageError(PoisonError):
    reason = "bad_image"


class BadSoundError(PoisonError):
    reason = "bad_sound"


class BadMessageError(PoisonError):
    """`field` names the part that is wrong, as a dotted path."""

    reason = "bad_message"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NewerMessageError(BadMessageError):
    """Well-formed, but of a version or pipeline that this process does not know, as in the middle of an update."""


class FrameMissingError(PoisonError):
    reason = "frame_missing"

    def __init__(self, message: str, *, frame_id: str) -> None:
        super().__init__(message)
        self.frame_id = frame_id


class UnsafeUrlError(PoisonError):
    reason = "unsafe_url"


class JobCancelledError(SightlineError):
    """The job was cancelled while a stage worked on it. A stage lets it pass: its runner drops the job."""

    reason = "cancelled"


class AnswerError(SightlineError):
    """There is no answer, or it was begun again and reads otherwise than what was heard of it. `reason` says why."""

    reason = "no_answer"

    def __init__(self, message: str, *, reason: str = "no_answer") -> None:
        super().__init__(message)
        self.reason = reason


class ModelError(SightlineError):
    """Weights are unknown, missing or damaged. The text says what to do about it."""

    reason = "model_unavailable"

    def __init__(self, message: str, *, model: str) -> None:
        super().__init__(message)
        self.model = model


class SourceError(SightlineError):
    reason = "source_unreadable"


def _restored(kind: type[SightlineError], arguments: tuple[Any, ...]) -> SightlineError:
    """As it was made, without asking its `__init__`, whose arguments by keyword are among its attributes."""
    return kind.__new__(kind, *arguments)
