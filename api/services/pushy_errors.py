"""What Pushy's faults are to our callers: its own code, and a status for whose it is."""

import math

from api.errors import ServiceError
from shared.providers.pushy_api import PushyFault

RATE_LIMIT_SECONDS = 60  # when Pushy does not say
OUTAGE_SECONDS = 5
WAIT_SECONDS_MAX = 86_400


class PushyError(ServiceError):
    """Has Pushy's code beside the message."""

    def __init__(self, code: str, *, wait_seconds: int | None = None) -> None:
        headers = {} if wait_seconds is None else {"Retry-After": str(wait_seconds)}
        super().__init__(members={"code": code}, headers=headers)


class InvalidDeviceTokenError(PushyError):
    status = 400
    detail = "Invalid device token"

    def __init__(self) -> None:
        super().__init__("INVALID_DEVICE_TOKEN")


class NoRecipientsError(PushyError):
    status = 400
    detail = "No recipients"


class NoApnsAuthError(PushyError):
    status = 400
    detail = "APNs is not set up at Pushy"


class PayloadLimitError(PushyError):
    status = 400
    detail = "Payload limit exceeded"

    def __init__(self) -> None:
        super().__init__("PAYLOAD_LIMIT_EXCEEDED")


class PushyRefusedError(PushyError):
    status = 400
    detail = "Pushy refused the request"


class PushyKeyError(PushyError):
    """Ours or the app's admin's to mend, never the caller's."""

    status = 502
    detail = "Pushy does not accept the app's key"


class PushyLimitError(PushyError):
    status = 429
    detail = "Pushy's rate limit is reached"


class PushyUnavailableError(PushyError):
    status = 503
    detail = "Pushy is not available"


_KEY_CODES = frozenset({"INVALID_API_KEY", "AUTH_LIMIT_EXCEEDED", "ACCOUNT_SUSPENDED"})
_CODES = {401: "INVALID_API_KEY", 403: "INVALID_API_KEY", 429: "RATE_LIMIT_EXCEEDED"}
_CLIENT_ERRORS = range(400, 500)
_OUTAGE_CODES = {False: "UNAVAILABLE", True: "OUTCOME_UNKNOWN"}


def error_of(fault: PushyFault) -> PushyError:
    """The error that a fault is to the caller."""
    match fault.code or _CODES.get(fault.status):
        case "INVALID_DEVICE_TOKEN":
            return InvalidDeviceTokenError()
        case "PAYLOAD_LIMIT_EXCEEDED":
            return PayloadLimitError()
        case "NO_RECIPIENTS" as code:
            return NoRecipientsError(code)
        case "NO_APNS_AUTH" as code:
            return NoApnsAuthError(code)
        case "RATE_LIMIT_EXCEEDED" as code:
            return PushyLimitError(code, wait_seconds=_wait(fault, RATE_LIMIT_SECONDS))
        case str(code) if code in _KEY_CODES:
            return PushyKeyError(code)
        case str(code) if fault.status in _CLIENT_ERRORS:
            return PushyRefusedError(code)
        case _:
            return PushyUnavailableError(
                fault.code or _OUTAGE_CODES[fault.maybe_done],
                wait_seconds=_wait(fault, OUTAGE_SECONDS),
            )


def _wait(fault: PushyFault, usual_seconds: int) -> int:
    """What Pushy asks for in whole seconds, within reason; else the usual."""
    asked = fault.retry_after_seconds
    return usual_seconds if asked is None else min(math.ceil(asked), WAIT_SECONDS_MAX)
