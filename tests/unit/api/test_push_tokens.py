"""A push token finds its provider, or a clear refusal."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.errors import ValidationFailedError
from api.services.push_tokens import TokenRules
from shared.domain.devices import Platform, Provider

HOSTS = ("fcm.googleapis.com", "*.push.services.mozilla.com", "localhost")
RULES = TokenRules(HOSTS, is_local=False)
LOCAL = TokenRules(HOSTS, is_local=True)
POINT = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
HEX = "0123456789abcdef" * 4


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def subscription(endpoint: str = "https://fcm.googleapis.com/fcm/send/x", **keys: str) -> str:
    good = {"p256dh": b64(POINT), "auth": b64(b"a" * 16)}
    return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": good | keys})


@pytest.mark.parametrize(
    ("platform", "token", "named", "expected"),
    [
        ("android", "abc:def", None, "fcm"),
        ("web", "abc", None, "fcm"),
        ("ios", "abc", None, "fcm"),
        ("ios", HEX, None, "apns"),
        ("ios", HEX[:-1], None, "fcm"),
        ("android", HEX, None, "fcm"),
        ("web", subscription(), None, "webpush"),
        ("ios", HEX, "fcm", "fcm"),
        ("android", "abc", "pushy", "pushy"),
        ("web", subscription(), "webpush", "webpush"),
    ],
)
def test_resolve_finds_the_provider(
    platform: Platform, token: str, named: Provider | None, expected: str
) -> None:
    assert RULES.resolve(platform, token, named)[0] == expected


def test_resolve_keeps_one_form() -> None:
    assert RULES.resolve("ios", HEX.upper(), None) == ("apns", HEX)
    spaced = json.dumps(json.loads(subscription()) | {"expirationTime": 1.5}, indent=2)
    padded = subscription(p256dh=b64(POINT) + "=")
    _, text = RULES.resolve("web", spaced, None)
    assert text == RULES.resolve("web", subscription(), None)[1]
    assert json.loads(text)["endpoint"] == json.loads(padded)["endpoint"]


@pytest.mark.parametrize(
    ("platform", "token", "named", "pointer"),
    [
        ("ios", "abc", "apns", "#/push_token"),
        ("android", HEX, "apns", "#/push_token"),
        ("android", subscription(), None, "#/push_token"),
        ("android", subscription(), "webpush", "#/provider"),
        ("web", "abc", "webpush", "#/push_token"),
        ("web", subscription(), "fcm", "#/push_token"),
        ("android", "with space", None, "#/push_token"),
        ("android", "nul\0", None, "#/push_token"),
        ("android", "é", None, "#/push_token"),
        ("web", "{", None, "#/push_token"),
        ("web", "{" * 2_000, None, "#/push_token"),
        ("web", "{}", None, "#/push_token"),
        ("web", subscription("http://fcm.googleapis.com/x"), None, "#/push_token/endpoint"),
        ("web", subscription("https://evil.example/x"), None, "#/push_token/endpoint"),
        ("web", subscription("https://evilfcm.googleapis.com/x"), None, "#/push_token/endpoint"),
        (
            "web",
            subscription("https://fcm.googleapis.com@evil.example/x"),
            None,
            "#/push_token/endpoint",
        ),
        ("web", subscription("https://fcm.googleapis.com:22/x"), None, "#/push_token/endpoint"),
        ("web", subscription("https://push.services.mozilla.com/x"), None, "#/push_token/endpoint"),
        ("web", subscription("https://localhost/x"), None, "#/push_token/endpoint"),
        ("web", subscription("https://127.0.0.1/x"), None, "#/push_token/endpoint"),
        ("web", subscription(p256dh=b64(POINT[:-1])), None, "#/push_token/keys"),
        ("web", subscription(p256dh=b64(b"\x04" + bytes(64))), None, "#/push_token/keys"),
        ("web", subscription(p256dh="!"), None, "#/push_token/keys"),
        ("web", subscription(p256dh="é"), None, "#/push_token/keys"),
        ("web", subscription(auth=b64(b"a" * 15)), None, "#/push_token/keys"),
        ("web", subscription(auth=""), None, "#/push_token/keys"),
        ("android", "/topics/news", "pushy", "#/push_token"),
    ],
)
def test_resolve_refuses(
    platform: Platform, token: str, named: Provider | None, pointer: str
) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        RULES.resolve(platform, token, named)
    error: Any = caught.value.members["errors"][0]
    assert error.pointer == pointer


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_resolve_takes_allowed_loopback_in_local_mode(scheme: str) -> None:
    text = subscription(f"{scheme}://localhost:9000/x")
    assert LOCAL.resolve("web", text, None)[0] == "webpush"
    with pytest.raises(ValidationFailedError):
        LOCAL.resolve("web", subscription(f"{scheme}://127.0.0.1:9000/x"), None)
