"""The Pushy API from its front door to Pushy's simulator."""

import json
import re
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.pushy import a_session, call
from tests.e2e.system import System
from tests.e2e.tenant import Json, Tenant
from tests.sealing import Sealer

SEED = Path(__file__).resolve().parents[2] / "docs/seeds/pushy-notifications.txt"
DETAILS = ("pushy_id", "devices", "failed")


# --- the seed's examples as they stand there


def examples() -> list[tuple[str, str, str | None, Json | None]]:
    """Method, path, the request's text and the answer, in the seed's order."""
    _, *sections = re.split(
        r"^\d\. (?=.*\n\n(?:GET|POST) /api)", SEED.read_text(), flags=re.MULTILINE
    )
    found = []
    for section in sections:
        method, path = re.findall(r"^(GET|POST) (/api/v1/\S+)$", section, re.MULTILINE)[0]
        request = re.search(r"^Request\n\n(\{.*?^\})", section, re.DOTALL | re.MULTILINE)
        answer = re.search(r"^Success response\n\n(\{.*?^\})", section, re.DOTALL | re.MULTILINE)
        expected = json.loads(answer[1]) if answer else None
        found.append((method, path, request[1] if request else None, expected))
    return found


def test_all_six_routes_of_the_seed_have_examples() -> None:
    rows = examples()

    assert len(rows) == 6
    assert [path for _, path, request, _ in rows if request is None] == [
        "/api/v1/device-info",
        "/api/v1/device-info/topics/{topic}/subscribers",
    ]
    assert [path for *_, path, _, expected in rows if expected is None] == [
        "/api/v1/device-info/unsubscribe"
    ]


async def test_the_seeds_examples_get_the_seeds_answers(tenant: Tenant) -> None:
    mine = tenant.user(str(uuid4()))
    rows = examples()
    unsubscribing = next(row for row in rows if row[1].endswith("/unsubscribe"))
    rows.remove(unsubscribing)  # the seed looks at the subscribers once more behind it

    for method, route, request, expected in [*rows, unsubscribing]:
        path = route.removeprefix("/api/v1").replace("{topic}", "announcements")
        fields = {"content_type": "application/json"} if request else {}
        answer = await call(tenant, method, path, mine, request, **fields)

        told = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert told.pop("trace_id") == answer.headers["x-request-id"]
        done = {"success": True, "message": "Successfully unsubscribed from topics"}
        usual = {"status_code": 200, "message": "Success", "data": done}
        assert told == (expected or usual), f"{method} {path}"
        assert answer.status_code == told["status_code"]

    log = (await tenant.simulators.get("/pushy/log", params={"limit": 10_000})).json()["entries"]
    pushes = [row["request"]["payload"] for row in log if row["device"] == "pushy-device-token"]
    assert [push["data"]["wallet_id"] for push in pushes] == [17]


# --- beyond them


async def test_the_details_of_a_push_are_for_operators(tenant: Tenant) -> None:
    token = await tenant.new_token("pushy")
    push = {"title": "t", "content": "c", "to": [token, f"dead-{token}"]}
    sent = await call(tenant, "POST", "/notifications/send-dev", tenant.service(), push)
    assert sent.status_code == 200, sent.text
    path = f"/notifications/{sent.headers['x-notification-id']}"

    detail = (await call(tenant, "GET", path, tenant.service())).json()["data"]

    log = (await tenant.simulators.get("/pushy/log", params={"limit": 10_000})).json()["entries"]
    (push_id,) = {row["id"] for row in log if row["device"] == token}
    assert [detail[name] for name in DETAILS] == [push_id, 1, [f"dead-{token}"]]
    assert (await call(tenant, "GET", path, tenant.user(str(uuid4())))).status_code == 403


@pytest.mark.parametrize(("language", "text"), [("en", "Hello"), ("zh", "你好")])
async def test_a_notification_reaches_a_session(tenant: Tenant, language: str, text: str) -> None:
    user_id = str(uuid4())
    token = await a_session(tenant, user_id, language=language)

    localized = {"zh": {"title": "你好", "body": "正文"}}
    notification_id = await tenant.send(user_id, title="Hello", localized=localized)

    status = await tenant.settled(notification_id)
    assert [(row["provider"], row["state"]) for row in status["devices"]] == [("pushy", "sent")]
    (entry,) = await tenant.seen("pushy", notification_id)
    assert entry["device"] == token
    assert entry["request"]["payload"]["data"]["title"] == text
    (receipt,) = await tenant.receipts(notification_id)
    assert (receipt["provider"], receipt["state"]) == ("pushy", "sent")


async def test_a_notification_follows_the_user_to_the_last_session(tenant: Tenant) -> None:
    user_id, other = str(uuid4()), str(uuid4())
    first = await a_session(tenant, user_id)
    second = await a_session(tenant, user_id)
    await a_session(tenant, other, first)

    for receiver, token in ((user_id, second), (other, first)):
        notification_id = await tenant.send(receiver)
        await tenant.settled(notification_id)
        seen = await tenant.seen("pushy", notification_id)
        assert [entry["device"] for entry in seen] == [token]


async def test_no_secret_of_the_pushy_api_reaches_a_log(system: System, tenant: Tenant) -> None:
    mark = f"canary{time.time_ns()}"
    user_id, key = str(uuid4()), f"{mark}key"
    await tenant.simulators.put("/pushy/apps", json={"api_key": key})
    await tenant.put_credential("pushy", {"api_key": key})
    mine, service = tenant.user(user_id), tenant.service()
    token = await a_session(tenant, user_id, f"{mark}token")
    push = {
        "title": f"{mark}title",
        "content": f"{mark}content",
        "action": f"{mark}action",
        "additional_data": {f"{mark}name": f"{mark}value"},
        "to": [token, f"dead-{mark}"],
    }
    pair = (await call(tenant, "POST", "/sys/key-pair", mine)).json()["data"]
    sealed = str(Sealer(pair["key"], pair["kid"]).seal(json.dumps(push).encode()))
    follow = {"token": token, "topics": [f"{mark}topic"]}

    async def all_calls() -> list[int]:
        answers = [
            await call(tenant, "POST", "/device-info/subscribe", mine, follow),
            await call(tenant, "GET", f"/device-info/topics/{mark}topic/subscribers", service),
            await call(tenant, "POST", "/notifications/send-dev", service, push),
            await call(tenant, "POST", "/notifications/send-dev", service, {"payload": sealed}),
            await call(tenant, "POST", "/notifications/send-dev", service, push | {mark: mark}),
            await call(tenant, "POST", "/notifications/send-dev", mine, {"payload": mark}),
        ]
        return [answer.status_code for answer in answers]

    assert await all_calls() == [200, 200, 200, 200, 400, 400]
    await tenant.simulators.delete(f"/pushy/apps/{key}")
    assert await all_calls() == [502, 502, 502, 502, 400, 400]
    await tenant.script("pushy", {"kind": "cut_before"}, times=1)
    await call(tenant, "POST", "/notifications/send-dev", service, push)

    logs = system.logs()
    assert "direct_push.sent" in logs
    assert [secret for secret in (mark, sealed, pair["key"]["x"], mine) if secret in logs] == []
