"""The errors of SQLAlchemy and the drivers, as ours."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from sightline.errors import BadMessageError, StoreUnavailableError

_UNDEFINED_TABLE: Final = "42P01"


@contextmanager
def database_errors() -> Generator[None]:
    """Map the errors of SQLAlchemy and the drivers to ours; what stays unmapped is a bug."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        raise StoreUnavailableError(f"the database did not take the statement: {_cause(error)}") from error
    except (exc.DataError, exc.IntegrityError) as error:
        raise BadMessageError(f"the database refused a value: {_cause(error)}") from error
    except (OverflowError, UnicodeEncodeError) as error:  # the drivers raise these bare
        raise BadMessageError(f"the database refused a value: {error}") from error
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _UNDEFINED_TABLE:
            raise
        # As on SQLite: another process may be about to create the tables.
        raise StoreUnavailableError(f"{_cause(error)}; run `python -m storage upgrade`") from error


def _cause(error: exc.StatementError | exc.TimeoutError) -> str:
    """The driver's words, without our statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())
