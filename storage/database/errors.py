"""The errors of SQLAlchemy and the drivers, as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy import exc

from sightline.errors import BadMessageError, StoreUnavailableError
from storage.database.causes import CURES, meaning_of


@contextmanager
def database_errors() -> Generator[None]:
    """Map the errors of SQLAlchemy and the drivers to ours; what stays unmapped is a bug."""
    try:
        yield
    except exc.TimeoutError as error:
        raise _unavailable("pool", error) from error
    except exc.DBAPIError as error:
        _raise(meaning_of(error), error, error.orig)
    except sqlite3.Error as error:  # of a statement that goes past SQLAlchemy
        _raise(meaning_of(error), error, error)
    except (OverflowError, UnicodeEncodeError) as error:  # the drivers raise these bare
        raise BadMessageError(f"the database refused a value: {error}") from error


def _raise(meaning: str, error: Exception, cause: BaseException | None) -> NoReturn:
    if meaning == "bug":
        raise error
    if meaning == "value":
        raise BadMessageError(f"the database refused a value: {_words(cause or error)}") from error
    raise _unavailable(meaning, cause or error) from error


def _unavailable(cause: str, error: BaseException) -> StoreUnavailableError:
    text = f"the database did not take the statement: {_words(error)} ({CURES[cause]})"
    return StoreUnavailableError(text, cause=cause)


def _words(error: BaseException) -> str:
    """The driver's words, without our statement and its parameters."""
    return " ".join(str(error).split())
