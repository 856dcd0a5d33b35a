"""Pushy: the body, one row per documented answer, and a key that stays in."""

import msgspec
import pytest

from shared.outbound.interface import InvalidRequest, Response, Unknown
from shared.providers.outcomes import (
    Ambiguous,
    Outcome,
    Rejected,
    Sent,
    Suspect,
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
from tests.unit.shared.providers.pushy_rows import ROWS, Row

DEVICE = make_device(provider="pushy", platform="android", token="token-1")


CODES = {
    *("NO_RECIPIENTS", "NO_APNS_AUTH", "PAYLOAD_LIMIT_EXCEEDED", "INVALID_PARAM"),
    *("INVALID_API_KEY", "AUTH_LIMIT_EXCEEDED", "ACCOUNT_SUSPENDED", "RATE_LIMIT_EXCEEDED"),
    *("INTERNAL_SERVER_ERROR", "INVALID_DEVICE_TOKEN", "INVALID_PUSH_ID", "NO_RESULTS"),
}  # pushy.me/docs/api/errors


def response_of(row: Row) -> Response:
    content = {"code": row.code, "error": "Some text."}
    made = json_response(row.status, content) if row.code else Response(row.status, {}, b"<html>")
    return Response(made.status, row.headers, made.body)


def pushed(devices: int, *failed: str) -> Response:
    info = {"devices": devices, "failed": failed}
    return json_response(200, {"success": True, "id": "p1", "info": info})


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_classify_every_refusal(row: Row) -> None:
    assert classify(response_of(row), "token-1", NOW) == row.expected


def test_no_documented_code_lacks_a_row() -> None:
    assert {row.code for row in ROWS} >= CODES


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (pushed(1), Sent("p1")),
        (pushed(1, "other"), Sent("p1")),
        (json_response(200, {"success": True, "id": "p1"}), Sent("p1")),
        # Nobody reached: the token is dead, or the key is another app's.
        (pushed(0, "token-1"), Suspect("info.failed")),
        (pushed(1, "token-1"), Unregistered("info.failed")),
        (json_response(200, {"success": False}), Ambiguous("unreadable_answer")),
        (Response(200, {}, b"<html>"), Ambiguous("unreadable_answer")),
        (Response(200, {}, b""), Ambiguous("unreadable_answer")),
        (Response(400, {}, b"\xff"), Rejected("http_400")),
        (json_response(400, {"error": "old style"}), Rejected("http_400")),
        (json_response(400, {"code": 7}), Rejected("http_400")),
    ],
)
def test_classify_success_and_strange_bodies(response: Response, expected: Outcome) -> None:
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
