"""What a browser's subscription must be before it is stored, and again before it is called."""

from urllib.parse import urlsplit

import msgspec
from pywebpush import WebPusher, WebPushException

from shared.crypto.vapid import b64url_decode
from shared.domain.devices import Subscription
from shared.outbound.addresses import LOOPBACK_HOSTS, check_url, host_matches
from shared.providers.webpush_encryption import Receiver, read_receiver


class InvalidSubscription(msgspec.Struct, frozen=True):
    """Why it was refused, fit to be shown to the caller: it never holds endpoint or keys."""

    reason: str


def parse_subscription(text: str) -> Subscription | InvalidSubscription:
    """The subscription in this JSON text, with keys that can be encrypted for.

    Whether its endpoint may be called is `endpoint_refusal`'s question.
    """
    try:
        subscription = msgspec.json.decode(text, type=Subscription)
    except (msgspec.DecodeError, UnicodeError):
        return InvalidSubscription("not a push subscription: endpoint and keys are required")
    try:
        receiver_of(subscription)  # first: pywebpush 2.5 raises IndexError for an empty key
        WebPusher({"endpoint": subscription.endpoint, "keys": _keys_of(subscription)})
    except (WebPushException, ValueError):
        return InvalidSubscription("keys: p256dh must be a point of P-256 and auth 16 bytes")
    return subscription


def receiver_of(subscription: Subscription) -> Receiver:
    """Whom its keys encrypt for. Raises ValueError."""
    keys = subscription.keys
    return read_receiver(b64url_decode(keys.p256dh), b64url_decode(keys.auth))


def endpoint_refusal(
    endpoint: str, allowed_hosts: tuple[str, ...], *, is_local: bool
) -> str | None:
    """Why this endpoint is not called, or None. Hosts are an allow-list: endpoints come from users.

    In local mode loopback hosts are allowed beside the list, for the simulators.
    """
    refusal = check_url(endpoint, allow_http_loopback=is_local)
    if refusal is not None:
        return refusal
    host = urlsplit(endpoint).hostname or ""
    if host_matches(host, allowed_hosts) or (is_local and host in LOOPBACK_HOSTS):
        return None
    return "host is not an allowed push service"


def _keys_of(subscription: Subscription) -> dict[str, str]:
    return {"p256dh": subscription.keys.p256dh, "auth": subscription.keys.auth}
