from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.models.retry import Retry, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("0", None, 0),
        (" 17 ", None, 17),
        ("1.5", None, 1.5),
        ("Sun, 01 Mar 2026 12:00:30 GMT", None, 30),
        ("Sun, 01 Mar 2026 11:59:00 GMT", None, 0),
        ("Sun, 01 Mar 2026 13:00:30 GMT", "Sun, 01 Mar 2026 13:00:00 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", None, 30),
        ("Sun Mar  1 12:00:30 2026", None, 30),
        (None, None, None),
        ("", None, None),
        ("-3", None, None),
        ("soon", None, None),
        ("9" * 30, None, None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None, None),
        ("١٢", None, None),
    ],
)
def test_both_forms_of_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    assert retry_after(value, date, NOW) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_breaks_it(value: str, date: str) -> None:
    found = retry_after(value, date, NOW)
    assert found is None or found >= 0


@given(st.integers(0, 5), st.text(max_size=8), st.none() | st.floats(0, 300))
def test_the_policy(attempt: int, key: str, asked: float | None) -> None:
    retry = Retry(attempts=5, first=1.0, longest=60.0)
    wait = retry.wait(attempt, key, asked)
    if attempt >= 4 or (asked or 0) > 60:
        assert wait is None
    else:
        assert wait is not None
        assert wait == retry.wait(attempt, key, asked)
        assert max(asked or 0, 0.5 * 2**attempt) <= wait <= max(asked or 0, 2**attempt)


def test_calls_that_failed_together_come_back_apart() -> None:
    assert len({Retry().wait(0, str(key), None) for key in range(100)}) == 100
