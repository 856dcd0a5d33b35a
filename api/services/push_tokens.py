"""Push tokens: which provider one belongs to, and whether it can be one of that provider."""

import base64
import binascii
import re
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from api.errors import ValidationFailedError, invalid
from shared.domain.devices import Platform, Provider, Subscription, is_apns_token, provider_for
from shared.outbound.addresses import check_url, host_matches

_AUTH_BYTES = 16  # RFC 8291 §3.2
_POINTER = "#/push_token"
_PRINTABLE = re.compile(r"[!-~]+")


class TokenRules(msgspec.Struct, frozen=True):
    """Where Web Push subscriptions may point to."""

    webpush_hosts: tuple[str, ...]
    is_local: bool

    def resolve(
        self, platform: Platform, token: str, provider: Provider | None
    ) -> tuple[Provider, str]:
        """The provider, and the token in the one form in which it is kept.

        Raises:
            ValidationFailedError: no token of that provider, or not on that platform.
        """
        chosen = provider or provider_for(platform, token)
        if chosen == "webpush":
            if platform != "web":
                raise invalid("#/provider", "webpush is for the platform web")
            return chosen, self._subscription(token)
        if not _PRINTABLE.fullmatch(token):
            raise invalid(_POINTER, "must be printable ASCII without spaces")
        if token.startswith("{"):
            raise invalid(_POINTER, "a subscription is for the provider webpush")
        if chosen == "pushy" and token.startswith("/"):
            raise invalid(_POINTER, "a topic is no token")
        if chosen == "apns":
            return chosen, _apns(platform, token)
        return chosen, token

    def _subscription(self, text: str) -> str:
        try:
            subscription = msgspec.json.decode(text, type=Subscription)
        except (ValueError, RecursionError):
            raise invalid(_POINTER, "must be a push subscription with endpoint and keys") from None
        if not self._may_call(subscription.endpoint):
            raise invalid(f"{_POINTER}/endpoint", "is not a known push service")
        _check_keys(subscription)
        canonical = msgspec.structs.replace(subscription, expiration_time=None)
        return msgspec.json.encode(canonical).decode()

    def _may_call(self, endpoint: str) -> bool:
        if check_url(endpoint, allow_http_loopback=self.is_local) is not None:
            return False
        return host_matches(urlsplit(endpoint).hostname or "", self.webpush_hosts)


def _apns(platform: Platform, token: str) -> str:
    if platform != "ios" or not is_apns_token(token):
        raise invalid(_POINTER, "apns is for ios tokens of at least 64 hexadecimal digits")
    return token.lower()


def _check_keys(subscription: Subscription) -> None:
    try:
        point = _decoded(subscription.keys.p256dh)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        is_valid = len(_decoded(subscription.keys.auth)) == _AUTH_BYTES
    except (ValueError, binascii.Error):
        is_valid = False
    if not is_valid:
        raise _bad_keys()


def _bad_keys() -> ValidationFailedError:
    return invalid(f"{_POINTER}/keys", "must be a P-256 point and 16 bytes, base64url")


def _decoded(text: str) -> bytes:
    """Base64url with or without padding; some browsers' libraries give plain base64."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    padded = plain + "=" * (-len(plain) % 4)
    return base64.b64decode(padded.encode(), altchars=b"-_", validate=True)
