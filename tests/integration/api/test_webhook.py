"""What admins see of their webhook: the log of attempts, and what came of a test event."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from standardwebhooks import Webhook

from deploy.local.ports import free_ports
from shared.clock import utc_now
from shared.storage.receipt_attempts import (
    ReceiptAttempt,
    ReceiptAttemptRepository,
    answer_text,
)
from tests.front_door import Api, Caller
from tests.integration.api.endpoint import Endpoint, an_endpoint, answer

SECRET_HEADER = "x-secret: told-to-nobody"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with an_endpoint() as endpoint:
        yield endpoint


async def try_it(api: Api, app_id: UUID) -> httpx.Response:
    return await api.user(app_id, roles=["admin"]).post(f"/push/config/{app_id}/webhook/test")


async def tried(api: Api, url: str) -> dict[str, Any]:
    """What an app with that webhook is told of its test event."""
    found = await try_it(api, await api.new_app(webhook_url=url))
    assert found.status_code == 200, found.text
    told: dict[str, Any] = found.json()
    assert told.pop("webhook_id").startswith("msg_")
    assert 0 <= told.pop("took_ms") < 15_000
    return told


async def test_a_test_event_is_signed(api: Api, endpoint: Endpoint) -> None:
    app_id = await api.new_app(webhook_url=endpoint.url)
    config = (await api.platform().get(f"/push/config/{app_id}")).json()

    told = (await try_it(api, app_id)).json()

    ((headers, body),) = endpoint.requests
    event = Webhook(config["webhook_secret"]).verify(body, headers)
    assert (event["type"], event["data"]) == ("push.test", {"app_id": str(app_id)})
    assert headers["content-type"] == "application/json"
    assert told["webhook_id"] == headers["webhook-id"]
    assert (told["status"], told["problem"], told["answer"]) == (204, None, "")


async def test_a_test_event_is_signed_with_both_secrets(api: Api, endpoint: Endpoint) -> None:
    app_id = await api.new_app(webhook_url=endpoint.url)
    path, admin = f"/push/config/{app_id}", api.platform()
    old = (await admin.get(path)).json()["webhook_secret"]
    new = (await admin.patch(path, {"regenerate_webhook_secret": True})).json()["webhook_secret"]

    await try_it(api, app_id)

    ((headers, body),) = endpoint.requests
    for secret in (old, new):
        Webhook(secret).verify(body, headers)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (200, None),
        (299, None),
        (302, "status 302"),
        (410, "status 410"),
        (500, "status 500"),
    ],
)
async def test_only_a_2xx_is_success(
    api: Api, endpoint: Endpoint, status: int, problem: str | None
) -> None:
    endpoint.answer = answer(status, b"so", f"location: {endpoint.url}/2", SECRET_HEADER)

    told = await tried(api, endpoint.url)

    assert told == {"status": status, "problem": problem, "answer": "so"}
    assert len(endpoint.requests) == 1  # no redirect is followed


async def test_a_kilobyte_of_the_answer_is_shown(api: Api, endpoint: Endpoint) -> None:
    endpoint.answer = answer(400, b"\xff\x00" + b"a" * 5_000)

    told = await tried(api, endpoint.url)

    assert told["answer"] == "\ufffd\ufffd" + "a" * 1_022


async def test_an_answer_that_is_too_long_counts_by_its_status(
    api: Api, endpoint: Endpoint
) -> None:
    endpoint.answer = answer(200, b"a" * 100_000)

    assert await tried(api, endpoint.url) == {"status": 200, "problem": None, "answer": ""}


async def test_garbage_is_no_answer(api: Api, endpoint: Endpoint) -> None:
    endpoint.answer = b"\x00\x01\x02"

    told = await tried(api, endpoint.url)

    assert (told["problem"], told["answer"]) == ("no answer", "")


async def test_nobody_there_is_unreachable(api: Api) -> None:
    (port,) = free_ports(1)

    told = await tried(api, f"http://127.0.0.1:{port}/hook")

    assert told == {"status": None, "problem": "unreachable", "answer": ""}


async def test_a_test_event_needs_a_webhook(api: Api) -> None:
    never_enabled, admin = uuid4(), api.platform()
    await admin.put(f"/push/apps/{never_enabled}", {"name": "x"})
    change = {"webhook_url": "https://hooks.example.com/"}
    await admin.patch(f"/push/config/{never_enabled}", change)

    answers = [await try_it(api, await api.new_app()), await try_it(api, never_enabled)]

    refusals = [(found.status_code, found.json()["detail"]) for found in answers]
    assert refusals == [(409, "App has no webhook")] * 2


async def test_ten_test_events_a_minute(api: Api, endpoint: Endpoint) -> None:
    app_id = await api.new_app(webhook_url=endpoint.url)

    statuses = [(await try_it(api, app_id)).status_code for _ in range(11)]

    assert statuses == [200] * 10 + [429]
    assert len(endpoint.requests) == 10


def an_attempt(app_id: UUID, attempt: int, at: datetime) -> ReceiptAttempt:
    return ReceiptAttempt(
        app_id=app_id,
        webhook_id="msg_1",
        first_seq=7,
        attempt=attempt,
        at=at,
        status=503,
        problem="status 503",
        took_ms=12,
        answer="later",
    )


async def test_the_log_has_the_newest_attempts_first(api: Api) -> None:
    app_id, other = await api.new_app(), await api.new_app()
    attempts, now = ReceiptAttemptRepository(api.database), utc_now()
    for number in (1, 2, 3):
        await attempts.note(an_attempt(app_id, number, now + timedelta(seconds=number)))
    await attempts.note(an_attempt(other, 9, now))

    path = f"/push/config/{app_id}/webhook/attempts"
    found = (await api.platform().get(f"{path}?limit=2")).json()

    assert [row["attempt"] for row in found["attempts"]] == [3, 2]
    assert found["attempts"][0].keys() == set(ReceiptAttempt.__struct_fields__) - {"app_id"}


async def test_only_admins_see_the_log_and_test(api: Api) -> None:
    app_id = await api.new_app()
    callers = (api.service(app_id), api.user(app_id), Caller(api.http, None))
    path = f"/push/config/{app_id}/webhook"

    statuses = [
        ((await c.get(f"{path}/attempts")).status_code, (await c.post(f"{path}/test")).status_code)
        for c in callers
    ]

    assert statuses == [(403, 403), (403, 403), (401, 401)]


def test_an_answers_text_is_json_whatever_it_was() -> None:
    text = answer_text(bytes(range(256)) * 8)

    assert len(text) == 1_024
    assert "\0" not in text
    assert json.loads(json.dumps(text)) == text
