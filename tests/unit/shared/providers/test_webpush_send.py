"""Web Push: subscription checks, encryption against the RFC and others, headers, VAPID."""

import json
from datetime import datetime, timedelta
from typing import Any

import http_ece
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from pywebpush import WebPusher

from shared.crypto.vapid import (
    VapidHeaders,
    b64url_decode,
    b64url_encode,
    generate_keys,
    load_private_key,
    origin_of,
    public_key_of,
)
from shared.domain.devices import Subscription
from shared.outbound.interface import AddressDenied
from shared.providers.outcomes import Misconfigured, Rejected, Sent
from shared.providers.webpush import (
    InvalidSubscription,
    WebPushAdapter,
    build_headers,
    endpoint_refusal,
    parse_subscription,
)
from shared.providers.webpush_encryption import PLAINTEXT_BYTES_MAX, encrypt
from tests.unit.shared.providers.builders import (
    AUTH_SECRET,
    NOW,
    RECEIVER_KEY,
    make_device,
    make_notification,
    make_subscription,
    make_webpush_credential,
    random_subscription_keys,
)
from tests.unit.shared.providers.built import web_plaintext
from tests.unit.shared.providers.fake_http import Answer, FakeHttp, json_response

HOSTS = ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com")
RFC_8291_BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6T"
    "lzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4"
    "a-fN"
)


def test_encrypt_is_the_rfcs_example() -> None:
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        b64url_decode(RECEIVER_KEY),
        b64url_decode(AUTH_SECRET),
        sender=load_private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=b64url_decode("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    assert b64url_encode(body) == RFC_8291_BODY


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=1, max_size=PLAINTEXT_BYTES_MAX), st.binary(min_size=16, max_size=16))
def test_encrypt_is_read_by_http_ece(plaintext: bytes, auth: bytes) -> None:
    key, point = random_subscription_keys()

    body = encrypt(plaintext, b64url_decode(point), auth)

    assert http_ece.decrypt(body, private_key=key, auth_secret=auth) == plaintext


def test_encrypt_has_the_shape_that_pywebpush_gives() -> None:
    keys = {"p256dh": RECEIVER_KEY, "auth": AUTH_SECRET}
    theirs = WebPusher({"endpoint": "https://x", "keys": keys}).encode(b"hello")["body"]
    ours = encrypt(b"hello", b64url_decode(RECEIVER_KEY), b64url_decode(AUTH_SECRET))

    assert len(ours) == len(theirs)
    assert ours[16:22] == theirs[16:22]  # record size, key length, point format


def test_encrypt_uses_a_fresh_key_and_salt_each_time() -> None:
    bodies = [encrypt(b"x", b64url_decode(RECEIVER_KEY), b"a" * 16) for _ in range(20)]

    assert len({body[:16] for body in bodies}) == len({body[21:86] for body in bodies}) == 20


def test_encrypt_takes_the_largest_plaintext_and_no_more() -> None:
    key = b64url_decode(RECEIVER_KEY)

    assert len(encrypt(b"x" * PLAINTEXT_BYTES_MAX, key, b"a" * 16)) == 4_096
    with pytest.raises(ValueError, match="more than one record"):
        encrypt(b"x" * (PLAINTEXT_BYTES_MAX + 1), key, b"a" * 16)


def subscription(**changes: Any) -> str:
    fields = json.loads(make_subscription())
    fields["keys"] |= changes.pop("keys", {})
    return json.dumps(fields | changes)


def test_parse_subscription_of_a_browser() -> None:
    parsed = parse_subscription(subscription(expirationTime=None, other=1))

    assert isinstance(parsed, Subscription)
    assert parsed.keys.p256dh == RECEIVER_KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "\ud800",
        '{"endpoint":"https://x"}',
        subscription(keys={"p256dh": ""}),
        subscription(keys={"p256dh": RECEIVER_KEY[:-4]}),
        subscription(keys={"p256dh": b64url_encode(b"\x04" + b"\x01" * 64)}),
        subscription(keys={"p256dh": RECEIVER_KEY + "!"}),
        subscription(keys={"p256dh": None}),
        subscription(keys={"auth": "AAAA"}),
        subscription(keys={"auth": "é" * 22}),
    ],
)
def test_parse_subscription_refuses(text: str) -> None:
    assert isinstance(parse_subscription(text), InvalidSubscription)


@pytest.mark.parametrize(
    ("endpoint", "is_local", "is_allowed"),
    [
        ("https://fcm.googleapis.com/wp/x", False, True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", False, True),
        ("https://web.push.apple.com/x", False, True),
        ("https://push.apple.com/x", False, False),
        ("https://evilpush.apple.com.evil.com/x", False, False),
        ("https://xfcm.googleapis.com/x", False, False),
        ("http://fcm.googleapis.com/x", False, False),
        ("https://fcm.googleapis.com:444/x", False, False),
        ("https://a@fcm.googleapis.com/x", False, False),
        ("https://localhost:8080/x", False, False),
        ("https://localhost:8080/x", True, True),
        ("http://127.0.0.1:8080/x", True, True),
        ("https://10.0.0.1/x", True, False),
    ],
)
def test_endpoint_refusal(endpoint: str, *, is_local: bool, is_allowed: bool) -> None:
    assert (endpoint_refusal(endpoint, HOSTS, is_local=is_local) is None) is is_allowed


def test_build_plaintext_of_the_contract() -> None:
    assert web_plaintext(make_notification(data='{"a":1}')) == (
        b'{"notification":{"title":"Hello","body":"World"},'
        b'"notification_id":"018f0000-0000-7000-8000-000000000001","data":{"a":1}}'
    )


def test_build_plaintext_fits() -> None:
    plaintext = web_plaintext(make_notification(title="é" * 256, body="漢" * 4_096))

    assert 3_900 < len(plaintext) <= PLAINTEXT_BYTES_MAX


@pytest.mark.parametrize(
    ("endpoint", "ttl", "policy"),
    [
        ("https://db5p.notify.windows.com/w/?token=x", 0, "no-cache"),
        ("https://db5p.notify.windows.com/w/?token=x", 60, None),
        ("https://fcm.googleapis.com/wp/x", 0, None),
    ],
)
def test_build_headers(endpoint: str, ttl: int, policy: str | None) -> None:
    headers = build_headers(make_notification(ttl_seconds=ttl), endpoint, NOW)

    assert headers["ttl"] == str(ttl)
    assert headers.get("x-wns-cache-policy") == policy
    assert len(headers["topic"]) == 32
    assert b64url_decode(headers["topic"])


def make_adapter(*answers: Answer) -> tuple[WebPushAdapter, FakeHttp]:
    http = FakeHttp(*answers)
    adapter = WebPushAdapter(http, allowed_hosts=HOSTS, clock=lambda: NOW, timeout_seconds=1)
    return adapter, http


DEVICE = make_device(provider="webpush", platform="web", token=make_subscription())


async def test_send_is_checked_at_the_address() -> None:
    adapter, http = make_adapter(json_response(201))

    assert isinstance(
        await adapter.send(make_notification(), DEVICE, make_webpush_credential()), Sent
    )

    allow = http.requests[0].allow_address
    assert allow is not None
    assert (allow("8.8.8.8"), allow("127.0.0.1")) == (True, False)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("{}", "invalid_subscription"),
        (subscription(keys={"auth": "AA"}), "invalid_subscription"),
        (make_subscription("https://evil.example/x"), "endpoint_not_allowed"),
    ],
)
async def test_send_refuses_what_it_may_not_call(token: str, reason: str) -> None:
    adapter, http = make_adapter()
    device = make_device(provider="webpush", platform="web", token=token)

    outcome = await adapter.send(make_notification(), device, make_webpush_credential())

    assert outcome == Rejected(reason)
    assert http.requests == []


async def test_send_with_a_bad_key_is_misconfigured() -> None:
    adapter, _ = make_adapter()
    credential = make_webpush_credential(vapid_private_key="AAAA")

    outcome = await adapter.send(make_notification(), DEVICE, credential)

    assert outcome == Misconfigured("invalid_vapid_key")


async def test_send_to_a_denied_address_is_rejected() -> None:
    adapter, _ = make_adapter(AddressDenied("x"))

    outcome = await adapter.send(make_notification(), DEVICE, make_webpush_credential())

    assert outcome == Rejected("address_denied")


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


def claims_of(header: str) -> dict[str, Any]:
    token, key = header.removeprefix("vapid t=").split(", k=")
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b64url_decode(key))
    options: Any = {"verify_exp": False, "verify_aud": False}
    claims: dict[str, Any] = jwt.decode(token, point, algorithms=["ES256"], options=options)
    return claims


def test_vapid_header_is_signed_for_one_origin() -> None:
    keys = generate_keys()

    header = VapidHeaders(lambda: NOW).authorization(
        keys.private_key, "mailto:a@example.com", "https://push.example"
    )

    assert claims_of(header) == {
        "aud": "https://push.example",
        "exp": int((NOW + timedelta(hours=12)).timestamp()),
        "sub": "mailto:a@example.com",
    }
    assert header.endswith(f"k={keys.public_key}")


@pytest.mark.parametrize(("hours", "is_kept"), [(1, True), (10, True), (10.1, False), (13, False)])
def test_vapid_header_is_kept_until_two_hours_before_its_end(
    hours: float, *, is_kept: bool
) -> None:
    clock, keys = Clock(), generate_keys()
    headers = VapidHeaders(clock)
    first = headers.authorization(keys.private_key, "mailto:a@b.example", "https://x")
    clock.now = NOW + timedelta(hours=hours)

    second = headers.authorization(keys.private_key, "mailto:a@b.example", "https://x")

    assert (first == second) is is_kept


def test_generated_keys_belong_together() -> None:
    keys = generate_keys()

    assert public_key_of(load_private_key(keys.private_key)) == keys.public_key
    assert len(b64url_decode(keys.private_key)) == 32
    assert len(b64url_decode(keys.public_key)) == 65


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://push.example/x?y", "https://push.example"),
        ("https://push.example:443/x", "https://push.example"),
        ("https://push.example:8443/x", "https://push.example:8443"),
        ("https://PUSH.example/x", "https://push.example"),
        ("http://[::1]:80/x", "http://[::1]"),
    ],
)
def test_origin_of(endpoint: str, origin: str) -> None:
    assert origin_of(endpoint) == origin


def test_plaintext_decodes_to_what_was_asked() -> None:
    decoded = msgspec.json.decode(web_plaintext(make_notification(title="ü", body="")))

    assert decoded["notification"] == {"title": "ü", "body": ""}
