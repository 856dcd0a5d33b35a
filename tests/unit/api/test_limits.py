"""Every limit of the three sends holds at n and breaks at n + 1."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest

from api.app import assemble
from api.routes.sends import BATCH_BYTES_MAX, SEND_BYTES_MAX, send_routes
from api.services.accept import Accepted, NotEnrolled
from api.services.planning import Request, build
from api.services.previewing import Previewer
from api.services.sending import Key, Sender
from shared.domain.apps import App
from tests.unit.api.doubles import (
    NOW,
    OTHER_USER,
    USER,
    bearer,
    client_of,
    gate,
    service_claims,
)

SERVICE = bearer(service_claims())
WIDE = "\U0001f600"


class Recorder:
    """Accepts everything but strangers, and keeps it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.strangers: set[UUID] = set()

    async def send(self, app: App, request: Request, key: Key | None) -> Accepted | NotEnrolled:
        assert key is None
        self.requests.append(request)
        if unknown := request.user_ids() & self.strangers:
            return NotEnrolled(unknown)
        return Accepted(build(app.app_id, request, [], NOW)[0].send_id)


RECORDER = Recorder()
APPLICATION = assemble([send_routes(cast("Sender", RECORDER), cast("Previewer", None), gate())])


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    RECORDER.requests.clear()
    RECORDER.strangers.clear()
    async with client_of(APPLICATION) as client:
        client.headers.update(SERVICE)
        yield client


def single(**changes: Any) -> dict[str, Any]:
    return {"user_id": str(USER), "title": "Hi", "body": "There"} | changes


def bulk(**changes: Any) -> dict[str, Any]:
    return {"user_ids": [str(USER)], "title": "Hi", "body": "There"} | changes


def batch(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"notifications": list(rows)}


def users(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


KINDS = ["/push/send", "/push/send/bulk", "/push/send/batch"]


def shaped(kind: str, **changes: Any) -> dict[str, Any]:
    match kind:
        case "/push/send":
            return single(**changes)
        case "/push/send/bulk":
            return bulk(**changes)
        case _:
            return batch([single(), single(**changes)])


def pointed(kind: str, member: str) -> str:
    return f"#/notifications/1/{member}" if kind.endswith("batch") else f"#/{member}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"title": "x"},
        {"title": "x" * 256},
        {"title": WIDE * 256},
        {"body": ""},
        {"body": WIDE * 4_096},
        {"ttl": 0},
        {"ttl": 2_419_200},
        {"data": {}},
        {"data": {"a": "x" * 4_088}},
    ],
)
async def test_send_accepts(http: httpx.AsyncClient, kind: str, changes: dict[str, Any]) -> None:
    answer = await http.post(kind, json=shaped(kind, **changes))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", ""),
        ("title", "x" * 257),
        ("title", WIDE * 257),
        ("title", None),
        ("title", 5),
        ("body", "x" * 4_097),
        ("body", WIDE * 4_097),
        ("body", None),
        ("ttl", -1),
        ("ttl", 2_419_201),
        ("ttl", 2**70),
        ("ttl", 1.0),
        ("ttl", "60"),
        ("ttl", True),
        ("ttl", None),
        ("data", []),
        ("data", None),
        ("data", "{}"),
        ("urgency", "high"),
        ("app_id", str(USER)),
    ],
)
async def test_send_refuses(http: httpx.AsyncClient, kind: str, member: str, value: object) -> None:
    answer = await http.post(kind, json=shaped(kind, **{member: value}))
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (400, "Validation failed")
    assert problem["errors"][0]["pointer"] == pointed(kind, member)
    assert RECORDER.requests == []


@pytest.mark.parametrize("kind", KINDS)
async def test_send_refuses_too_much_data(http: httpx.AsyncClient, kind: str) -> None:
    answer = await http.post(kind, json=shaped(kind, data={"a": "x" * 4_089}))
    assert (answer.status_code, answer.json()["detail"]) == (400, "Data payload too large")
    assert answer.json()["errors"][0]["pointer"] == pointed(kind, "data")


@pytest.mark.parametrize("value", ["", "x", 5, None, [], f"{USER}\n", f"{{{USER}}}"])
async def test_send_refuses_a_user_id(http: httpx.AsyncClient, value: object) -> None:
    answer = await http.post("/push/send", json=single(user_id=value))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/user_id"


@pytest.mark.parametrize("count", [1, 500])
async def test_bulk_takes_up_to_500_users(http: httpx.AsyncClient, count: int) -> None:
    answer = await http.post("/push/send/bulk", json=bulk(user_ids=users(count)))
    ids = answer.json()["notification_ids"]
    assert len(set(ids)) == count


@pytest.mark.parametrize("count", [0, 501])
async def test_bulk_refuses_other_counts(http: httpx.AsyncClient, count: int) -> None:
    answer = await http.post("/push/send/bulk", json=bulk(user_ids=users(count)))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/user_ids"


@pytest.mark.parametrize("count", [1, 500])
async def test_batch_takes_up_to_500(http: httpx.AsyncClient, count: int) -> None:
    answer = await http.post("/push/send/batch", json=batch([single()] * count))
    ids = answer.json()["notification_ids"]
    assert len(set(ids)) == count


@pytest.mark.parametrize("count", [0, 501])
async def test_batch_refuses_other_counts(http: httpx.AsyncClient, count: int) -> None:
    answer = await http.post("/push/send/batch", json=batch([single()] * count))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/notifications"


async def test_bulk_sends_once_to_a_user_named_twice(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/push/send/bulk", json=bulk(user_ids=[str(USER), str(OTHER_USER), USER.hex])
    )
    first, second, third = answer.json()["notification_ids"]
    assert first == third != second
    assert [r.user_id for r in RECORDER.requests[0].recipients] == [USER, OTHER_USER]


@pytest.mark.parametrize(
    ("kind", "body", "pointers"),
    [
        ("/push/send", single(), ["#/user_id"]),
        (
            "/push/send/bulk",
            bulk(user_ids=[str(USER), str(OTHER_USER), str(USER)]),
            ["#/user_ids/0", "#/user_ids/2"],
        ),
        (
            "/push/send/batch",
            batch([single(user_id=str(OTHER_USER)), single()]),
            ["#/notifications/1/user_id"],
        ),
    ],
)
async def test_send_names_who_is_not_enrolled(
    http: httpx.AsyncClient, kind: str, body: dict[str, Any], pointers: list[str]
) -> None:
    RECORDER.strangers = {USER}
    answer = await http.post(kind, json=body)
    assert (answer.status_code, answer.json()["detail"]) == (400, "User not enrolled")
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


async def test_send_has_defaults(http: httpx.AsyncClient) -> None:
    await http.post("/push/send", json=single())
    content = RECORDER.requests[0].contents[0]
    assert (content.ttl_seconds, content.data) == (86_400, None)


@pytest.mark.parametrize(
    ("kind", "limit"), [("/push/send", SEND_BYTES_MAX), ("/push/send/batch", BATCH_BYTES_MAX)]
)
async def test_send_bounds_the_body(http: httpx.AsyncClient, kind: str, limit: int) -> None:
    text = json.dumps(shaped(kind)).encode()
    headers = {"content-type": "application/json"}
    padded = text + b" " * (limit - len(text))
    assert (await http.post(kind, content=padded, headers=headers)).status_code == 200
    answer = await http.post(kind, content=padded + b" ", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (413, "Request body too large")


async def test_batch_takes_the_largest_that_the_seed_allows(http: httpx.AsyncClient) -> None:
    row = single(title=WIDE * 256, body=WIDE * 4_096, data={"a": WIDE * 1_022})
    text = json.dumps(batch([row] * 500)).encode()  # every character escaped
    answer = await http.post(
        "/push/send/batch", content=text, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text[:200]


async def test_bulk_takes_the_largest_that_the_seed_allows(http: httpx.AsyncClient) -> None:
    largest = {"title": WIDE * 256, "body": WIDE * 4_096, "data": {"a": WIDE * 1_022}}
    body = bulk(user_ids=users(500), **largest)
    assert (await http.post("/push/send/bulk", json=body)).status_code == 200
