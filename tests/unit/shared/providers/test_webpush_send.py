"""Web Push: subscription checks, payload, headers, and what is sent again."""

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.crypto.vapid import b64url_decode, b64url_encode
from shared.domain.devices import Subscription
from shared.outbound.interface import AddressDenied, Response, Timeout
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Unavailable,
    Unregistered,
)
from shared.providers.webpush import (
    InvalidSubscription,
    WebPushAdapter,
    build_headers,
    endpoint_refusal,
    parse_subscription,
)
from shared.providers.webpush_encryption import PLAINTEXT_BYTES_MAX
from tests.unit.shared.providers.builders import (
    NOW,
    RECEIVER_KEY,
    make_device,
    make_notification,
    make_subscription,
    make_webpush_credential,
)
from tests.unit.shared.providers.built import web_plaintext
from tests.unit.shared.providers.fake_http import Answer, FakeHttp, json_response

HOSTS = ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com")


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


TOPIC_OPTIONS = st.one_of(
    st.fixed_dictionaries({"collapse_key": st.text(min_size=1, max_size=256)}),
    st.fixed_dictionaries({"notification_id": st.uuids()}),
)


@settings(max_examples=200, deadline=None)
@given(TOPIC_OPTIONS)
def test_every_topic_is_one_that_apple_can_decode(options: dict[str, Any]) -> None:
    topic = build_headers(make_notification(**options), "https://web.push.apple.com/x", NOW)[
        "topic"
    ]

    assert len(topic) == 32
    assert b64url_encode(b64url_decode(topic)) == topic


def test_a_notification_that_must_not_be_resent_has_no_topic() -> None:
    assert "topic" not in build_headers(make_notification(on_unknown="suppress"), "https://x", NOW)


def test_build_plaintext_is_declarative_and_the_same_for_a_service_worker() -> None:
    plain = json.loads(web_plaintext(make_notification(data='{"a":1}')))
    link = "https://shop.example/orders/7"
    declarative = json.loads(
        web_plaintext(make_notification(data='{"a":1}', click_action=link, badge=3))
    )

    assert declarative.pop("web_push") == 8030
    shown = declarative["notification"]
    assert (shown.pop("navigate"), shown.pop("app_badge")) == (link, 3)
    assert declarative == plain
    assert shown["title"]  # without one a browser shows nothing


@pytest.mark.parametrize("link", ["http://shop.example/", "shop://orders/7", "https://", "https:x"])
def test_build_plaintext_is_not_declarative_without_an_address_to_go_to(link: str) -> None:
    decoded = json.loads(web_plaintext(make_notification(click_action=link)))

    assert "web_push" not in decoded
    assert decoded["notification"]["navigate"] == link


def test_build_plaintext_is_never_empty() -> None:
    overrides = {"webpush": '{"notification":null,"data":null}'}

    plaintext = web_plaintext(make_notification(data='{"a":1}', overrides=overrides))

    assert plaintext == b'{"notification_id":"018f0000-0000-7000-8000-000000000001"}'


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


async def sends(
    *answers: Answer, hours_between: float
) -> tuple[list[Outcome], list[dict[str, str]]]:
    """Outcomes of a first push, and of a second one later; the headers of every request."""
    http, clock = FakeHttp(json_response(201), *answers), Clock()
    adapter = WebPushAdapter(http, allowed_hosts=HOSTS, clock=clock, timeout_seconds=1)
    credential = make_webpush_credential()
    outcomes = [await adapter.send(make_notification(), DEVICE, credential)]
    clock.now = NOW + timedelta(hours=hours_between)
    later = make_notification(expires_at=clock.now + timedelta(hours=1))
    outcomes.append(await adapter.send(later, DEVICE, credential))
    assert not http.answers
    return outcomes, [dict(request.headers) for request in http.requests]


REFUSALS = [
    Response(401, {}, b""),
    json_response(401, {"code": 401, "errno": 109}),
    json_response(403, {"reason": "BadJwtToken"}),
]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_send_signs_again_once_when_the_signature_is_refused(refusal: Response) -> None:
    outcomes, requests = await sends(refusal, json_response(201), hours_between=1)

    assert outcomes == [Sent(), Sent()]
    first, refused, taken = (request["authorization"] for request in requests)
    assert first == refused != taken


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_send_is_misconfigured_when_the_new_signature_is_refused_too(
    refusal: Response,
) -> None:
    outcomes, requests = await sends(refusal, refusal, hours_between=1)

    assert isinstance(outcomes[1], Misconfigured)
    assert len({request["authorization"] for request in requests}) == 2


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_send_does_not_sign_again_within_the_hour(refusal: Response) -> None:
    outcomes, requests = await sends(refusal, hours_between=0.9)

    assert isinstance(outcomes[1], Misconfigured)
    assert len({request["authorization"] for request in requests}) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Timeout("late", maybe_processed=True), Ambiguous("timeout")),
        (json_response(503), Unavailable("http_503", scope="origin")),
        (json_response(410), Unregistered("http_410")),
    ],
)
async def test_the_second_answer_decides(answer: Answer, expected: Outcome) -> None:
    outcomes, _ = await sends(REFUSALS[0], answer, hours_between=1)

    assert outcomes[1] == expected


async def test_send_follows_no_moved_endpoint() -> None:
    moved = Response(301, {"location": "https://updates.push.services.mozilla.com/wpush/v2/y"}, b"")
    outcomes, requests = await sends(moved, hours_between=0)

    assert outcomes[1] == Rejected("http_301")
    assert len(requests) == 2


def test_plaintext_decodes_to_what_was_asked() -> None:
    decoded = msgspec.json.decode(web_plaintext(make_notification(title="ü", body="")))

    assert decoded["notification"] == {"title": "ü", "body": ""}
