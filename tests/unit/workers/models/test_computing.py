"""Who computes alone, and who beside others."""

from __future__ import annotations

import pytest

from workers.models.computing import Computing


def test_who_comes_while_nobody_computes_is_alone() -> None:
    computing = Computing()
    for _ in range(2):
        with computing.call() as first:
            with computing.call() as second:
                pass
            with computing.call() as third:
                pass
        assert (first, second, third) == (True, False, False)


def test_who_comes_while_the_second_is_left_is_not_alone() -> None:
    computing = Computing()
    first, second, third = computing.call(), computing.call(), computing.call()
    assert (first.__enter__(), second.__enter__()) == (True, False)
    first.__exit__(None, None, None)
    assert third.__enter__() is False
    for call in (second, third):
        call.__exit__(None, None, None)
    with computing.call() as is_alone:
        assert is_alone


def test_a_call_that_fails_computes_no_longer() -> None:
    computing = Computing()
    with pytest.raises(ValueError, match="no picture"), computing.call():
        raise ValueError("no picture")
    with computing.call() as is_alone:
        assert is_alone
