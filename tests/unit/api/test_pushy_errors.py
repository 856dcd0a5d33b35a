"""How long callers are told to wait when Pushy does not do it."""

import pytest

from api.services.pushy_errors import error_of
from shared.providers.pushy_api import PushyFault


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (PushyFault("RATE_LIMIT_EXCEEDED", 429), "60"),
        (PushyFault("RATE_LIMIT_EXCEEDED", 429, retry_after_seconds=7.0), "7"),
        (PushyFault("RATE_LIMIT_EXCEEDED", 429, retry_after_seconds=0.2), "1"),
        (PushyFault(None, 429, retry_after_seconds=300.0), "300"),
        (PushyFault(None, 429, retry_after_seconds=9e9), "86400"),
        (PushyFault("INTERNAL_SERVER_ERROR", 500), "5"),
        (PushyFault(None, 503, retry_after_seconds=30.0), "30"),
        (PushyFault(None), "5"),
        (PushyFault("INVALID_PARAM", 400, retry_after_seconds=30.0), None),
    ],
)
def test_error_of_a_fault_says_how_long_to_wait(fault: PushyFault, seconds: str | None) -> None:
    assert error_of(fault).headers.get("Retry-After") == seconds
