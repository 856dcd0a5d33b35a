"""What push services answer, vendor by vendor, as outcomes."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from shared.outbound.interface import Response
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

_THROTTLE_SECONDS = 60.0  # when a service slows us down without saying for how long
_MESSAGE_ID_CHARACTERS_MAX = 200

# Mozilla autopush: errno in the JSON body, where it says more than the status.
# mozilla-services.github.io/autopush-rs/errors.html
_MOZILLA: Mapping[int, Outcome] = {
    101: Rejected("mozilla_101"),  # 400 missing crypto keys
    102: Unregistered("mozilla_102"),  # 404 invalid endpoint token
    103: Unregistered("mozilla_103"),  # 410 no such user
    104: Rejected("mozilla_104"),  # 413 payload too large
    105: Unregistered("mozilla_105"),  # 410 endpoint became unavailable
    106: Unregistered("mozilla_106"),  # 410 no subscription
    108: Unregistered("mozilla_108"),  # 400 router type of the endpoint is not known
    109: Misconfigured("mozilla_109"),  # 401 every VAPID fault
    110: Rejected("mozilla_110"),  # 400 encryption headers
    111: Rejected("mozilla_111"),  # 400 TTL missing
    112: Rejected("mozilla_112"),  # 400 TTL invalid
    113: Rejected("mozilla_113"),  # 400 Topic
    114: Rejected("mozilla_114"),  # 400 TTL negative
}  # 201, 202 (503), 900-903 (502), 999 (500): as their status says

# Apple: reason in the JSON body. developer.apple.com/documentation/usernotifications/
# sending-web-push-notifications-in-web-apps-and-browsers
_APPLE: Mapping[str, Outcome] = {
    # Another key made the subscription, or our key is not the one that it was: seen as 400 and 403.
    "VapidPkHashMismatch": Suspect("VapidPkHashMismatch"),
    "BadAuthorizationHeader": Misconfigured("BadAuthorizationHeader"),
    "BadJwtToken": Misconfigured("BadJwtToken"),  # signature, aud, exp or a `sub` that is no URL
    "BadVapidPublicKey": Misconfigured("BadVapidPublicKey"),
    "BadTtl": Rejected("BadTtl"),
    "BadUrgency": Rejected("BadUrgency"),
    "BadWebPushTopic": Rejected("BadWebPushTopic"),
    "BadWebPushRequest": Rejected("BadWebPushRequest"),
    "BadPath": Suspect("BadPath"),  # 404, about the endpoint's shape rather than its life
}

# Google: a word or sentence in a text or HTML body, undocumented, as the web-push libraries'
# issue trackers report them.
_GOOGLE: tuple[tuple[bytes, Outcome], ...] = (
    (b"UnauthorizedRegistration", Suspect("UnauthorizedRegistration")),  # 400: VAPID key differs
    (b"InvalidTokenFormat", Suspect("InvalidTokenFormat")),  # 400
    (b"aud claim", Misconfigured("vapid_audience")),  # 403
)


# Apple tells a bad signature, audience, end or contact with 403; the others with 401.
_APPLE_SIGNATURE = "BadJwtToken"


def is_signature_refused(response: Response) -> bool:
    """Whether a header that is signed anew may be taken: if it was old or a clock was wrong."""
    if response.status == 401:  # noqa: PLR2004 - Unauthorized
        return True
    return response.status == 403 and _read(response.body).reason == _APPLE_SIGNATURE  # noqa: PLR2004


def classify(response: Response, now: datetime) -> Outcome:
    status = response.status
    if status in {200, 201, 202, 204}:  # 201 is the rule, the others deviate
        return Sent(_message_id(response.headers))
    wait = parse_retry_after(response.headers.get("retry-after"), now)
    if status >= 500:  # noqa: PLR2004 - 5xx, whatever the body says
        return Unavailable(f"http_{status}", wait, "origin")
    return _by_body(response) or _by_status(status, wait)


def _by_body(response: Response) -> Outcome | None:
    error = _read(response.body)
    known = _MOZILLA.get(error.errno or 0) or _APPLE.get(error.reason or "")
    if known is not None:
        return known
    if response.status in {400, 403}:
        return next((outcome for word, outcome in _GOOGLE if word in response.body), None)
    return None


def _by_status(status: int, wait: float | None) -> Outcome:
    reason = f"http_{status}"
    match status:
        case 401:  # VAPID missing or wrong
            return Misconfigured(reason)
        case 403:  # made with another key, or our key is wrong
            return Suspect(reason)
        case 404 | 410:  # RFC 8030 §7.3: expired; all services use both
            return Unregistered(reason)
        case 406 | 429:  # 406: Windows, with Retry-After 900
            return Unavailable(reason, _THROTTLE_SECONDS if wait is None else wait, "origin")
        case 408:
            return Unavailable(reason, wait, "origin")
        case _:  # 400, 413; 3xx: a moved endpoint is a stranger's URL and is not followed
            return Rejected(reason)


class _Error(msgspec.Struct, frozen=True):
    errno: int | None = None
    reason: str | None = None


def _read(body: bytes) -> _Error:
    try:
        return msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Error()


def _message_id(headers: Mapping[str, str]) -> str | None:
    """Apple's and Microsoft's id, else the last part of the message resource's address."""
    location = headers.get("location", "").rstrip("/").rpartition("/")[2]
    found = headers.get("apns-id") or headers.get("x-wns-msg-id") or location
    return found[:_MESSAGE_ID_CHARACTERS_MAX] or None
