"""What goes wrong at Pushy, or between Pushy and the mirror, and what callers are told."""

from typing import Any

import pytest

from shared.storage.mongo import StorageUnavailable
from shared.storage.sessions import SessionRepository
from tests.eventually import eventually
from tests.pushy_stage import PushyStage, assert_refused

TOKEN = "pushy-device-token"
NO_KEY = "Pushy does not accept the app's key"
AWAY = "Pushy is not available"
REFUSED = "Pushy refused the request"
BUSY = "Pushy's rate limit is reached"
Json = dict[str, Any]


FAULTS: list[tuple[Json, int, str, str]] = [
    ({"status": 401, "reason": "INVALID_API_KEY"}, 502, NO_KEY, "INVALID_API_KEY"),
    ({"status": 401, "reason": "AUTH_LIMIT_EXCEEDED"}, 502, NO_KEY, "AUTH_LIMIT_EXCEEDED"),
    ({"status": 403, "reason": "ACCOUNT_SUSPENDED"}, 502, NO_KEY, "ACCOUNT_SUSPENDED"),
    ({"status": 403, "body": "no"}, 502, NO_KEY, "INVALID_API_KEY"),
    ({"status": 429, "reason": "RATE_LIMIT_EXCEEDED"}, 429, BUSY, "RATE_LIMIT_EXCEEDED"),
    ({"status": 429, "body": "{}"}, 429, BUSY, "RATE_LIMIT_EXCEEDED"),
    ({"status": 400, "reason": "INVALID_PARAM"}, 400, REFUSED, "INVALID_PARAM"),
    ({"status": 400, "body": '{"code":"NEW_CODE"}'}, 400, REFUSED, "NEW_CODE"),
    ({"status": 400, "body": "<html>"}, 503, AWAY, "UNAVAILABLE"),
    ({"status": 400, "body": '{"code":"<script>"}'}, 503, AWAY, "UNAVAILABLE"),
    ({"status": 500, "reason": "INTERNAL_SERVER_ERROR"}, 503, AWAY, "INTERNAL_SERVER_ERROR"),
    (
        {"status": 302, "headers": {"location": "https://attacker.test/"}, "body": ""},
        503,
        AWAY,
        "UNAVAILABLE",
    ),
    ({"status": 200, "body": "{}"}, 503, AWAY, "NOT_DONE"),
    ({"status": 200, "body": "not json"}, 503, AWAY, "OUTCOME_UNKNOWN"),
]


def topics(*names: str, token: str = TOKEN) -> Json:
    return {"token": token, "topics": names}


async def repeated(pushy: PushyStage, route: str, body: Json) -> None:
    """As callers do on a 503: what was cut may take the next call on its connection along."""

    async def is_done() -> bool:
        return (await pushy.post(f"/device-info/{route}", body)).status_code == 200

    await eventually(is_done, what="done")


async def test_what_pushy_did_not_do_is_not_mirrored(pushy: PushyStage) -> None:
    await pushy.begin(TOKEN)
    await pushy.script({"kind": "cut_before"}, "/topics/subscribe")

    refused = await pushy.post("/device-info/subscribe", topics("a"))

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["message"] == AWAY
    assert "topics" not in await pushy.row()
    assert await pushy.topics() == {}
    await repeated(pushy, "subscribe", topics("a"))


@pytest.mark.parametrize("route", ["subscribe", "unsubscribe"])
async def test_what_pushy_did_unheard_is_mirrored_by_the_next_call(
    pushy: PushyStage, route: str
) -> None:
    await pushy.begin(TOKEN)
    await pushy.subscribe(TOKEN, "a", "b")
    await pushy.script({"kind": "cut_after"}, f"/topics/{route}")
    body = topics("b", "c")

    unheard = await pushy.post(f"/device-info/{route}", body)

    assert_refused(unheard, 503, AWAY, code="OUTCOME_UNKNOWN")
    told = set(await pushy.topics())
    assert set((await pushy.row())["topics"]) == {"a", "b"} != told
    await repeated(pushy, route, body)
    assert set((await pushy.row())["topics"]) == told == set(await pushy.topics())


async def test_what_could_not_be_mirrored_is_mirrored_by_the_next_call(
    pushy: PushyStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pushy.begin(TOKEN)

    async def away(*_: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(SessionRepository, "follow", away)
        failed = await pushy.post("/device-info/subscribe", topics("a"))
    assert_refused(failed, 503, "Service unavailable")
    assert await pushy.topics() == {"a": 1}

    assert (await pushy.post("/device-info/subscribe", topics("a"))).status_code == 200
    assert (await pushy.row())["topics"] == ["a"]


@pytest.mark.parametrize(("action", "status", "message", "code"), FAULTS)
async def test_pushys_faults_are_told_apart(
    pushy: PushyStage, action: Json, status: int, message: str, code: str
) -> None:
    await pushy.begin(TOKEN)
    await pushy.script({"kind": "answer"} | action, "/topics/subscribe")

    refused = await pushy.post("/device-info/subscribe", topics("a"))

    assert_refused(refused, status, message, code=code)
    waits = {429: "60", 503: "5"}
    assert refused.headers.get("retry-after") == waits.get(status)


async def test_an_app_without_a_key_is_told_so(pushy: PushyStage) -> None:
    await pushy.begin(TOKEN)
    await pushy.api.platform().delete(f"/push/config/{pushy.app_id}/providers/pushy")

    for path, body in (
        ("/device-info/subscribe", topics("a")),
        ("/device-info/unsubscribe", topics("a")),
        ("/notifications/send-dev", {"title": "t", "content": "c", "to": [TOKEN]}),
    ):
        refused = await pushy.post(path, body)
        assert_refused(refused, 502, NO_KEY, code="NO_CREDENTIAL")
