"""Retry-After: seconds, three date formats, and whatever else servers send."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.providers.retry_after import parse_retry_after
from tests.unit.shared.providers.builders import NOW


@given(st.integers(min_value=0, max_value=9_999_999_999))
def test_parse_reads_any_number_of_seconds(seconds: int) -> None:
    assert parse_retry_after(f" {seconds} ", NOW) == float(seconds)


@given(st.integers(min_value=-10_000_000, max_value=100_000_000))
def test_parse_reads_any_date_and_never_waits_for_the_past(seconds: int) -> None:
    text = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert parse_retry_after(text, NOW) == max(0.0, float(seconds))


@given(st.text())
def test_parse_never_raises_nor_gives_a_negative(text: str) -> None:
    seconds = parse_retry_after(text, NOW)

    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thu, 19 Mar 2026 08:02:00 GMT", 120.0),
        ("Thursday, 19-Mar-26 08:02:00 GMT", 120.0),  # RFC 850
        ("Thu Mar 19 08:02:00 2026", 120.0),  # asctime
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("120, 120", None),
        ("soon", None),
        ("Thu, 99 Mar 2026 08:02:00 GMT", None),
        ("Thu, 19 Mar 9999999 08:02:00 GMT", None),
        ("9" * 400, None),
    ],
)
def test_parse_of_examples(text: str | None, expected: float | None) -> None:
    assert parse_retry_after(text, datetime(2026, 3, 19, 8, 0, tzinfo=UTC)) == expected
