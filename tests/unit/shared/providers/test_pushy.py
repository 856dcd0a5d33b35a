"""Pushy: the body, one row per documented answer, and a key that stays in."""

import msgspec
import pytest

from shared.outbound.interface import InvalidRequest, Response, Unknown
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from shared.providers.pushy import PushyAdapter, classify
from tests.unit.shared.providers.builders import (
    NOW,
    make_device,
    make_notification,
    make_pushy_credential,
)
from tests.unit.shared.providers.built import pushy_body
from tests.unit.shared.providers.fake_http import FakeHttp, json_response

DEVICE = make_device(provider="pushy", platform="android", token="token-1")


def error(status: int, code: str) -> Response:
    return json_response(status, {"code": code, "error": "Some text."})


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (json_response(200, {"success": True, "id": "p1", "info": {"devices": 1}}), Sent("p1")),
        (
            json_response(200, {"success": True, "id": "p1", "info": {"failed": ["token-1"]}}),
            Unregistered("info.failed"),
        ),
        (
            json_response(200, {"success": True, "id": "p1", "info": {"failed": ["other"]}}),
            Sent("p1"),
        ),
        (Response(200, {}, b"<html>"), Ambiguous("unreadable_answer")),
        (Response(200, {}, b""), Ambiguous("unreadable_answer")),
        (error(400, "NO_RECIPIENTS"), Suspect("NO_RECIPIENTS")),
        (error(404, "INVALID_DEVICE_TOKEN"), Suspect("INVALID_DEVICE_TOKEN")),
        (error(400, "NO_APNS_AUTH"), Misconfigured("NO_APNS_AUTH")),
        (error(400, "PAYLOAD_LIMIT_EXCEEDED"), Rejected("PAYLOAD_LIMIT_EXCEEDED")),
        (error(400, "INVALID_PARAM"), Rejected("INVALID_PARAM")),
        (error(401, "INVALID_API_KEY"), Misconfigured("INVALID_API_KEY")),
        (error(401, "AUTH_LIMIT_EXCEEDED"), Misconfigured("AUTH_LIMIT_EXCEEDED")),
        (error(403, "ACCOUNT_SUSPENDED"), Misconfigured("ACCOUNT_SUSPENDED")),
        (
            error(429, "RATE_LIMIT_EXCEEDED"),
            Unavailable("RATE_LIMIT_EXCEEDED", 60.0, "credential"),
        ),
        (
            error(500, "INTERNAL_SERVER_ERROR"),
            Unavailable("INTERNAL_SERVER_ERROR", scope="origin"),
        ),
        # the code rules, not the status that nobody has documented
        (error(500, "INVALID_API_KEY"), Misconfigured("INVALID_API_KEY")),
        (error(400, "SOMETHING_NEW"), Rejected("http_400")),
        (Response(400, {}, b""), Rejected("http_400")),
        (Response(401, {}, b""), Misconfigured("http_401")),
        (Response(429, {"retry-after": "9"}, b""), Unavailable("http_429", 9.0, "credential")),
        (Response(500, {}, b""), Unavailable("http_500", scope="origin")),
        (Response(502, {}, b"<html>"), Unavailable("http_502", scope="origin")),
    ],
)
def test_classify_every_answer(response: Response, expected: Outcome) -> None:
    assert classify(response, "token-1", NOW) == expected


def test_build_body_has_every_column_of_the_contract() -> None:
    body = pushy_body(make_notification(data='{"a":{"b":1e400}}'), DEVICE)

    assert msgspec.json.encode(body) == (
        b'{"to":"token-1","time_to_live":3600,'
        b'"collapse_key":"' + body["collapse_key"].encode() + b'",'
        b'"data":{"title":"Hello","message":"World",'
        b'"notification_id":"018f0000-0000-7000-8000-000000000001","data":{"a":{"b":1e400}}},'
        b'"notification":{"title":"Hello","body":"World"}}'
    )
    assert len(body["collapse_key"]) == 32


def test_build_body_has_the_least_ttl_when_now_or_never() -> None:
    assert pushy_body(make_notification(ttl_seconds=0), DEVICE)["time_to_live"] == 1


def test_build_body_leaves_out_data_that_does_not_fit() -> None:
    data = '{"k":"' + "x" * 4_080 + '"}'

    body = pushy_body(make_notification(data=data, body="y" * 4_096), DEVICE)

    assert body["data"]["data_truncated"] is True
    assert "data" not in body["data"]
    assert body["data"]["message"].endswith("…")
    assert len(msgspec.json.encode(body["data"])) <= 4_096


@pytest.mark.parametrize(
    "failure", [InvalidRequest("https://x/?api_key=k3y"), Unknown("k3y", maybe_processed=True)]
)
async def test_send_keeps_the_key_in_the_query_and_out_of_the_outcome(
    failure: InvalidRequest | Unknown,
) -> None:
    http = FakeHttp(failure)
    adapter = PushyAdapter(
        http, base_url="https://api.pushy.me/", clock=lambda: NOW, timeout_seconds=1
    )

    outcome = await adapter.send(make_notification(), DEVICE, make_pushy_credential(api_key="k3y"))

    assert http.requests[0].url == "https://api.pushy.me/push?api_key=k3y"
    assert "k3y" not in repr(outcome)


async def test_send_escapes_the_key() -> None:
    http = FakeHttp(json_response(200, {"success": True}))
    adapter = PushyAdapter(http, base_url="https://p", clock=lambda: NOW, timeout_seconds=1)

    await adapter.send(make_notification(), DEVICE, make_pushy_credential(api_key="a/b&c d"))

    assert http.requests[0].url == "https://p/push?api_key=a%2Fb%26c%20d"
