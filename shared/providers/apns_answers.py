"""What Apple's answers mean: every documented reason, and what goes by its status."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from shared.providers.apns_pool import ApnsResult
from shared.providers.outcomes import (
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from shared.providers.retry_after import parse_retry_after

EXPIRED_TOKEN = "ExpiredProviderToken"  # noqa: S105 - a reason, not a secret
BAD_DEVICE_TOKEN = Suspect("BadDeviceToken")

# Reason -> outcome; what is not here goes by its status. The reasons:
# developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
_REJECTED = frozenset(
    {
        "BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority",  # 400: our builder
        "DuplicateHeaders", "InvalidPushType", "PayloadEmpty", "MissingDeviceToken",
        "BadPath", "MethodNotAllowed",  # 404, 405
        "PayloadTooLarge",  # 413
    }
)  # fmt: skip
_SUSPECT = frozenset(
    {
        BAD_DEVICE_TOKEN.reason,  # malformed, or of the other environment
        "DeviceTokenNotForTopic",  # of another app, or our topic is wrong
    }
)
_MISCONFIGURED = frozenset(
    {
        # The table drops the first two, as a builder's fault; our topic is the credential's.
        "MissingTopic", "BadTopic", "TopicDisallowed",
        EXPIRED_TOKEN,  # after a renewal, or too soon for one: clocks disagree
        "InvalidProviderToken", "MissingProviderToken", "UnrelatedKeyIdInToken",
        "BadEnvironmentKeyIdInToken",  # Apple's documents
        "BadEnvironmentKeyInToken",  # what is on the wire
        "BadCertificate", "BadCertificateEnvironment", "Forbidden",
    }
)  # fmt: skip
_UNREGISTERED = frozenset({"Unregistered", "ExpiredToken"})  # 410
_WAITS: Mapping[str, Unavailable] = {
    # Apple sends no Retry-After; the waits are our judgement.
    "TooManyRequests": Unavailable("TooManyRequests", 60.0, "device"),
    "TooManyProviderTokenUpdates": Unavailable("TooManyProviderTokenUpdates", 300.0, "credential"),
}
KNOWN_REASONS = _REJECTED | _SUSPECT | _MISCONFIGURED | _UNREGISTERED | _WAITS.keys()


def classify(result: ApnsResult, now: datetime) -> Outcome:
    status, reason = int(result.status), result.description or f"http_{result.status}"
    if result.is_successful:
        return Sent(result.notification_id)
    if reason in _UNREGISTERED:
        return Unregistered(reason, _instant(result.timestamp))
    if reason in _SUSPECT:
        return Suspect(reason)
    if reason in _MISCONFIGURED:
        return Misconfigured(reason)
    if reason in _REJECTED:
        return Rejected(reason)
    wait = parse_retry_after(result.retry_after, now)
    if reason in _WAITS:
        return msgspec.structs.replace(
            _WAITS[reason], retry_after_seconds=wait or _WAITS[reason].retry_after_seconds
        )
    if reason == "IdleTimeout":  # 400, but it is about the connection
        return Unavailable(reason, wait, "origin")
    return _classify_status(status, reason, wait)


def _classify_status(status: int, reason: str, wait: float | None) -> Outcome:
    """Reasons that are new to us, answers without one, 500 InternalServerError, 503 Shutdown."""
    match status:
        case 403:  # every documented 403 is about the key; new kinds appeared in 2025
            return Misconfigured(reason)
        case 410:
            return Suspect(reason)  # gone, but Apple did not say what
        case 429:
            return Unavailable(reason, 60.0 if wait is None else wait, "device")
        case _ if 400 <= status < 500:  # noqa: PLR2004 - the client-error class of HTTP
            return Rejected(reason)
        case _:
            return Unavailable(reason, wait, "origin")


def _instant(milliseconds: int | None) -> datetime | None:
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
