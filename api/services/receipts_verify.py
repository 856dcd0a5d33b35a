"""Whether a webhook call is one of ours, and if not, what is wrong with it."""

import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

TOLERANCE = timedelta(minutes=5)  # Standard Webhooks' own, both ways
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
_KEY_BYTES_MIN = 24
_UNIX_MAX = 253_402_300_799  # the last second of the year 9999


class BadSecret(Exception):
    """The secret is not `whsec_` and base64 of at least 24 bytes."""


def webhook_of(secret: str) -> Webhook:
    """What signs with this secret.

    Raises:
        BadSecret: nothing could be signed with it.
    """
    try:
        encoded = secret.removeprefix("whsec_")
        if len(binascii.a2b_base64(encoded, strict_mode=True)) < _KEY_BYTES_MIN:
            raise BadSecret
        return Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        raise BadSecret from None


def fault_of(
    webhook: Webhook,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    tolerance: timedelta | None = TOLERANCE,
) -> str | None:
    """Why a receiver should refuse the call, or None. Header names are in lower case."""
    missing = [name for name in NAMES if not headers.get(name)]
    if missing:
        return f"missing: {', '.join(missing)}"
    at = _instant(headers["webhook-timestamp"])
    if at is None:
        return "webhook-timestamp is no number of seconds"
    if tolerance is not None and abs(now - at) > tolerance:
        seconds = abs(round((now - at).total_seconds()))
        return f"signed {seconds} s {'ago' if at < now else 'ahead'}, more than is tolerated"
    return _signature_fault(webhook, headers, body, at)


def _signature_fault(
    webhook: Webhook, headers: Mapping[str, str], body: bytes, at: datetime
) -> str | None:
    given = headers["webhook-signature"].split()
    known = [entry for entry in given if entry.startswith("v1,")]
    if not known:
        return "no signature of version v1"
    if _fits(webhook, headers["webhook-id"], at, body, known):
        return None
    if _fits(webhook, headers["webhook-id"], at, body.rstrip(b"\r\n"), known):
        return "valid without the line break at its end: give the body as it came"
    return "no signature fits: another secret, or the body is not the very bytes that came"


def _fits(webhook: Webhook, webhook_id: str, at: datetime, body: bytes, given: list[str]) -> bool:
    try:
        expected = webhook.sign(webhook_id, at, body.decode())
    except UnicodeDecodeError:  # none of ours is anything but UTF-8
        return False
    return any(hmac.compare_digest(expected.encode(), entry.encode()) for entry in given)


def _instant(text: str) -> datetime | None:
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= _UNIX_MAX):
        return None
    return datetime.fromtimestamp(int(text[:20]), UTC)
