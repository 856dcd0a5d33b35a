"""Direct pushes: what Pushy gets, how much of it, and what becomes of it."""

import json
import tracemalloc
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.storage.dev_sends import DevSendRepository
from shared.storage.mongo import StorageUnavailable
from tests.pushy_stage import PushyStage, assert_done, assert_invalid, assert_refused

TOKEN = "pushy-device-token"
SENT = "Notification sent successfully"
BYTES_MAX = 4_096
MIB = 1_048_576
Json = dict[str, Any]


async def pushed(pushy: PushyStage, **changes: Any) -> Json:
    """What Pushy got of an accepted push."""
    assert_done(await pushy.send([TOKEN], **changes), SENT)
    (body,) = await pushy.pushes()
    return body


async def test_pushy_gets_data_and_what_ios_and_web_show(pushy: PushyStage) -> None:
    body = await pushed(
        pushy,
        title="Balance Updated",
        content="Your wallet has been credited.",
        action="wallet_refresh",
        additional_data={"wallet_id": 17, "source": "topup"},
    )

    assert body == {
        "to": [TOKEN],
        "data": {
            "title": "Balance Updated",
            "message": "Your wallet has been credited.",
            "wallet_id": 17,
            "source": "topup",
            "action": "wallet_refresh",
        },
        "notification": {"title": "Balance Updated", "body": "Your wallet has been credited."},
    }


@pytest.mark.parametrize(
    "nothing", [{}, {"action": None}, {"additional_data": None}, {"additional_data": {}}]
)
async def test_what_is_not_given_is_not_sent(pushy: PushyStage, nothing: Json) -> None:
    assert (await pushed(pushy, **nothing))["data"] == {"title": "Hi", "message": "There"}


async def test_additional_data_arrives_as_it_was_written(pushy: PushyStage) -> None:
    data = {
        "a": {"title": [1, None, True, {"message": "x"}]},
        "": 0,
        "é~/": "新",
        "to": "x",
        "n": 10**30,
    }

    assert (await pushed(pushy, additional_data=data))["data"] == data | {
        "title": "Hi",
        "message": "There",
    }


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"title": ""}, "#/title"),
        ({"title": None}, "#/title"),
        ({"content": ""}, "#/content"),
        ({"content": 1}, "#/content"),
        ({"to": []}, "#/to"),
        ({"to": TOKEN}, "#/to"),
        ({"to": None}, "#/to"),
        ({"to": [""]}, "#/to"),
        ({"to": [TOKEN, "/topics/news"]}, "#/to"),
        ({"to": ["/topics/news"]}, "#/to"),
        ({"to": ["with space"]}, "#/to"),
        ({"action": ""}, "#/action"),
        ({"action": 1}, "#/action"),
        ({"additional_data": []}, "#/additional_data"),
        ({"additional_data": "x"}, "#/additional_data"),
        ({"additional_data": {"title": "x"}}, "#/additional_data/title"),
        ({"additional_data": {"message": "x"}}, "#/additional_data/message"),
        ({"additional_data": {"action": "x"}}, "#/additional_data/action"),
        ({"additional_data": {"a": "\0"}}, "#/additional_data"),
        ({"additional_data": json.loads('{"a":' * 17 + "1" + "}" * 17)}, "#/additional_data"),
        ({"data": {}}, "#/data"),
    ],
)  # fmt: skip
async def test_a_bad_push_is_refused(pushy: PushyStage, changes: Json, pointer: str) -> None:
    refused = await pushy.post(
        "/notifications/send-dev",
        {"title": "Hi", "content": "There", "to": [TOKEN]} | changes,
        pushy.service(),
    )

    (error,) = refused.json()["errors"]
    assert error["pointer"].startswith(pointer)
    assert_refused(refused, 400, "Validation failed", errors=[error])
    assert await pushy.pushes() == []


@pytest.mark.parametrize("member", ["title", "content", "to"])
async def test_a_push_needs_its_members(pushy: PushyStage, member: str) -> None:
    body = {"title": "Hi", "content": "There", "to": [TOKEN]}
    del body[member]

    refused = await pushy.post("/notifications/send-dev", body, pushy.service())

    assert_invalid(refused, f"#/{member}")


def assert_too_large(answer: httpx.Response) -> None:
    assert_refused(answer, 400, "Payload limit exceeded", code="PAYLOAD_LIMIT_EXCEEDED")


def a_payload(size: int, character: str = "x", **changes: Any) -> Json:
    """A push whose payload has so many bytes, most of them in its content."""
    fixed = {"title": "Hi", "message": ""} | changes.pop("additional_data", {}) | changes
    used = len(json.dumps(fixed, ensure_ascii=False, separators=(",", ":")).encode())
    count, rest = divmod(size - used, len(character.encode()))
    return {"content": character * count + "x" * rest}


@pytest.mark.parametrize("character", ["x", "é", "新", "🎉"])
@pytest.mark.parametrize("changes", [{}, {"action": "a", "additional_data": {"b": [1, 2]}}])
async def test_a_payload_has_4096_bytes_and_no_more(
    pushy: PushyStage, character: str, changes: Json
) -> None:
    largest = a_payload(BYTES_MAX, character, **changes)
    larger = a_payload(BYTES_MAX + 1, character, **changes)

    body = await pushed(pushy, **largest, **changes)
    refused = await pushy.send([TOKEN], **larger, **changes)

    data = json.dumps(body["data"], ensure_ascii=False, separators=(",", ":"))
    assert len(data.encode()) == BYTES_MAX
    assert_too_large(refused)
    assert len(await pushy.pushes()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "x" * BYTES_MAX},
        {"content": "x" * 100_000},
        {"action": "x" * BYTES_MAX},
        {"additional_data": {"a": "x" * BYTES_MAX}},
        {"additional_data": {"a": "x" * 100_000}},
    ],
)
async def test_whatever_makes_it_too_large_the_code_is_the_same(
    pushy: PushyStage, changes: Json
) -> None:
    assert_too_large(await pushy.send([TOKEN], **changes))


async def test_a_token_that_is_named_twice_gets_one_push(pushy: PushyStage) -> None:
    assert_done(await pushy.send([TOKEN, "b", TOKEN]), SENT)

    (body,) = await pushy.pushes()
    assert body["to"] == [TOKEN, "b"]


async def test_a_hundred_thousand_tokens_are_pushed_to_in_bounded_memory(
    pushy: PushyStage,
) -> None:
    tokens = [f"{number:022x}" for number in range(100_000)]
    caller = pushy.service()
    body = json.dumps({"title": "Hi", "content": "There", "to": tokens})
    fields = {"content-type": "application/json"}
    tracemalloc.start()
    sent = await pushy.call(caller, "POST", "/notifications/send-dev", body, fields)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert_done(sent, SENT)
    assert (await pushy.simulators.get("/pushy/stats"))["accepted"] == 100_000
    assert peak_bytes < 64 * MIB


@pytest.mark.parametrize("length", [1, 22, 60])
async def test_one_token_more_is_refused(pushy: PushyStage, length: int) -> None:
    tokens = ["t".ljust(length, "x")] * 100_001

    assert_invalid(await pushy.send(tokens), "#/to")


# --- what Pushy says


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("NO_RECIPIENTS", 400, "No recipients"),
        ("NO_APNS_AUTH", 400, "APNs is not set up at Pushy"),
        ("PAYLOAD_LIMIT_EXCEEDED", 400, "Payload limit exceeded"),
        ("INVALID_DEVICE_TOKEN", 400, "Invalid device token"),
        ("INVALID_PARAM", 400, "Pushy refused the request"),
        ("INVALID_API_KEY", 502, "Pushy does not accept the app's key"),
        ("AUTH_LIMIT_EXCEEDED", 502, "Pushy does not accept the app's key"),
        ("ACCOUNT_SUSPENDED", 502, "Pushy does not accept the app's key"),
        ("RATE_LIMIT_EXCEEDED", 429, "Pushy's rate limit is reached"),
        ("INTERNAL_SERVER_ERROR", 503, "Pushy is not available"),
    ],
)
async def test_pushys_codes_stand_beside_the_message(
    pushy: PushyStage, code: str, status: int, message: str
) -> None:
    at_pushy = {429: 429, 502: 401, 503: 500}.get(status, 400)
    await pushy.script({"kind": "answer", "status": at_pushy, "reason": code})

    refused = await pushy.send([TOKEN])

    assert_refused(refused, status, message, code=code)
    assert refused.headers.get("retry-after") == {429: "60", 503: "5"}.get(status)


async def test_codes_that_pushy_finds_by_itself(pushy: PushyStage) -> None:
    await pushy.know(pushy.api_key, apns_configured=False)
    await pushy.simulators.put("/pushy/devices/iphone", {"platform": "ios"})

    nobody = await pushy.send(["dead-1", "dead-2"])
    no_apns = await pushy.send(["iphone"])
    await pushy.put_key("wrong")
    no_key = await pushy.send([TOKEN])

    told = [(answer.status_code, answer.json()["code"]) for answer in (nobody, no_apns, no_key)]
    assert told == [(400, "NO_RECIPIENTS"), (400, "NO_APNS_AUTH"), (502, "INVALID_API_KEY")]


@pytest.mark.parametrize("body", ['{"success":false}', "{}", "<html>"])
async def test_a_push_that_pushy_does_not_confirm_is_unknown(pushy: PushyStage, body: str) -> None:
    await pushy.script({"kind": "answer", "status": 200, "body": body})

    refused = await pushy.send([TOKEN])

    assert_refused(refused, 503, "Pushy is not available", code="OUTCOME_UNKNOWN")


# --- what becomes of it


async def detail(pushy: PushyStage, notification_id: str, caller: Any = None) -> Any:
    return await pushy.get(f"/notifications/{notification_id}", caller or pushy.service())


async def test_failed_tokens_are_deactivated_and_told_to_operators(pushy: PushyStage) -> None:
    gone, alive = uuid4(), uuid4()
    await pushy.begin("dead-1", gone)
    await pushy.begin("alive-1", alive)

    sent = await pushy.send(["dead-1", "alive-1", "dead-unknown"])

    assert_done(sent, SENT)
    told = (await detail(pushy, sent.headers["x-notification-id"])).json()["data"]
    assert (told["devices"], told["failed"]) == (1, ["dead-1", "dead-unknown"])
    assert told["id"] == sent.headers["x-notification-id"]
    (entry, *_) = await pushy.simulators.entries("pushy")
    assert told["pushy_id"] == entry["id"]
    assert (await pushy.tokens(gone), await pushy.tokens(alive)) == ([], ["alive-1"])
    assert (await pushy.row(gone))["deactivated_reason"] == "pushy:info.failed"


async def test_failed_tokens_are_kept_sealed(pushy: PushyStage) -> None:
    sent = await pushy.send([TOKEN, "dead-token"])

    kept = await pushy.api.database["dev_sends"].find_one({"app_id": pushy.app_id})
    assert kept["_id"] == UUID(sent.headers["x-notification-id"])
    assert "dead-token" not in str(kept)


async def test_when_pushy_knows_no_token_none_is_deactivated(pushy: PushyStage) -> None:
    """It says the same when the key is another app's."""
    await pushy.begin("dead-1")

    assert (await pushy.send(["dead-1"])).status_code == 400

    assert await pushy.tokens() == ["dead-1"]


async def test_a_push_that_cannot_be_noted_is_sent_all_the_same(
    pushy: PushyStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(DevSendRepository, "add", away)

    assert_done(await pushy.send([TOKEN]), SENT)


async def test_details_are_for_operators_of_the_app(pushy: PushyStage) -> None:
    await pushy.begin(TOKEN)
    sent = await pushy.send([TOKEN], pushy.user())
    notification_id = sent.headers["x-notification-id"]
    tenant_admin = pushy.api.user(pushy.app_id, None, ["tenant_admin"], tenant_id="other")

    for caller in (pushy.service(), pushy.user(None, "admin"), pushy.user(None, "platform_admin")):
        assert (await detail(pushy, notification_id, caller)).status_code == 200
    for caller in (pushy.user(), pushy.user(None, "developer"), tenant_admin):
        refused = await detail(pushy, notification_id, caller)
        assert_refused(refused, 403, "Insufficient permissions")
    no_scope = await detail(pushy, notification_id, pushy.service("push:enroll"))
    assert_refused(no_scope, 403, "Missing required scope")


async def test_foreign_absent_and_malformed_ids_are_alike(pushy: PushyStage) -> None:
    other = PushyStage(pushy.api, pushy.simulators, pushy.clock)
    await other.set_up()
    foreign = (await other.send([TOKEN])).headers["x-notification-id"]

    answers = [await detail(pushy, each) for each in (foreign, str(uuid4()), "x", "send-de")]

    assert len({answer.content for answer in answers}) == 1
    assert_refused(answers[0], 404, "Notification not found")
