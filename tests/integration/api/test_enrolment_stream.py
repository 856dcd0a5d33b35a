"""Enrolment as a stream of lines through the front door."""

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.routes import enrolment_stream
from deploy.local.mongod import Mongod
from shared.storage.mongo import connect
from tests.front_door import Api, running, settings_for
from tests.servers import Servers

NDJSON = "application/x-ndjson"


class Enroller:
    """An app's own backend that enrols users by lines."""

    def __init__(self, api: Api, app_id: UUID) -> None:
        self.database, self.app_id = api.database, app_id
        self._http = api.http
        self._headers = api.service(app_id, "push:enroll").headers

    async def post(self, content: Any, content_type: str = NDJSON, **more: str) -> httpx.Response:
        headers = self._headers | {"content-type": content_type} | more
        path = f"/push/apps/{self.app_id}/users"
        return await self._http.post(path, content=content, headers=headers)

    async def enrolled(self) -> int:
        return await self.database["enrolments"].count({"app_id": self.app_id})


@pytest.fixture
async def enroller(api: Api) -> Enroller:
    return Enroller(api, await api.new_app())


def lines_of(users: Iterable[UUID]) -> bytes:
    return b"".join(b'{"user_id": "%b"}\n' % str(user).encode() for user in users)


def new_lines(count: int) -> bytes:
    return lines_of(uuid4() for _ in range(count))


def told(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON
    assert answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_lines_are_enrolled_and_progress_is_told(enroller: Enroller) -> None:
    answer = await enroller.post(new_lines(2_500))

    assert told(answer) == [
        {"line": 1_000, "enrolled": 1_000, "failed": 0},
        {"line": 2_000, "enrolled": 2_000, "failed": 0},
        {"line": 2_500, "enrolled": 2_500, "failed": 0},
        {"done": True, "lines": 2_500, "enrolled": 2_500, "failed": 0},
    ]
    assert await enroller.enrolled() == 2_500


async def test_bad_lines_are_told_and_the_others_enrolled(enroller: Enroller, api: Api) -> None:
    user_id, other_id = uuid4(), uuid4()
    text = f'\r\n{{"user_id":"{user_id}"}}\r\n\n{{"user_id":"x"}}\nnonsense\n"{other_id}"'

    answer = await enroller.post(text.encode())

    assert told(answer) == [
        {"line": 4, "error": {"pointer": "#/user_id", "detail": "Invalid UUID"}},
        {"line": 5, "error": {"pointer": "#", "detail": "not valid JSON"}},
        {"line": 6, "enrolled": 2, "failed": 2},
        {"done": True, "lines": 6, "enrolled": 2, "failed": 2},
    ]
    for user in (user_id, other_id):
        path = f"/push/apps/{enroller.app_id}/users/{user}"
        assert (await api.platform().get(path)).status_code == 200


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n \n"])
async def test_an_empty_stream_is_fine(enroller: Enroller, content: bytes) -> None:
    assert told(await enroller.post(content))[-1]["done"] is True
    assert await enroller.enrolled() == 0


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/jsonl", "", "text/csv", f"{NDJSON};charset=latin-1"],
)
async def test_another_content_type_is_a_415(enroller: Enroller, content_type: str) -> None:
    answer = await enroller.post(new_lines(1), content_type)
    assert answer.status_code == 415
    assert answer.json()["detail"] == (
        "Content-Type must be application/json or application/x-ndjson"
    )
    assert await enroller.enrolled() == 0


async def test_a_compressed_stream_is_a_415(enroller: Enroller) -> None:
    answer = await enroller.post(new_lines(1), **{"content-encoding": "gzip"})
    assert answer.status_code == 415


async def test_strangers_are_refused_before_a_line_is_read(api: Api, enroller: Enroller) -> None:
    pieces_read = 0

    async def unread() -> AsyncGenerator[bytes]:
        nonlocal pieces_read
        pieces_read += 1
        yield b""

    path = f"/push/apps/{enroller.app_id}/users"
    callers = {401: None, 403: api.service(uuid4(), "push:enroll")}
    for status, caller in callers.items():
        headers = {"content-type": NDJSON} | (caller.headers if caller else {})
        answer = await api.http.post(path, content=unread(), headers=headers)
        assert (answer.status_code, pieces_read) == (status, 0)


async def test_nothing_is_read_faster_than_it_is_written(enroller: Enroller) -> None:
    written: list[int] = []

    async def body() -> AsyncGenerator[bytes]:
        for _ in range(5):
            written.append(await enroller.enrolled())
            yield new_lines(1_000)

    assert told(await enroller.post(body()))[-1]["enrolled"] == 5_000
    assert written == [0, 1_000, 2_000, 3_000, 4_000]


async def test_a_stream_ends_when_its_app_is_deleted(enroller: Enroller, api: Api) -> None:
    async def body() -> AsyncGenerator[bytes]:
        yield new_lines(1_000)
        assert (await api.platform().delete(f"/push/apps/{enroller.app_id}")).status_code == 200
        yield new_lines(1_000)
        raise AssertionError("read on")

    last = told(await enroller.post(body()))[-1]

    assert last == {
        "done": False,
        "line": 1_000,
        "enrolled": 1_000,
        "failed": 0,
        "error": {"status": 404, "detail": "App not found"},
    }


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_stream_has_a_largest_size(
    enroller: Enroller, monkeypatch: pytest.MonkeyPatch, is_announced: bool
) -> None:
    text = new_lines(2_000)
    monkeypatch.setattr(enrolment_stream, "STREAM_BYTES_MAX", len(text) - 1)

    async def body() -> AsyncGenerator[bytes]:
        yield text[: len(text) // 2]
        yield text[len(text) // 2 :]

    answer = await enroller.post(text if is_announced else body())

    if is_announced:
        assert (answer.status_code, answer.json()["detail"]) == (413, "Request body too large")
        assert await enroller.enrolled() == 0
    else:
        last = told(answer)[-1]
        assert (last["done"], last["line"]) == (False, 1_000)
        assert last["error"] == {"status": 413, "detail": "Request body too large"}


async def test_a_silent_caller_is_not_waited_for(
    enroller: Enroller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment_stream, "SILENCE_SECONDS", 0.05)

    async def body() -> AsyncGenerator[bytes]:
        yield new_lines(1_000)
        await asyncio.Event().wait()

    last = told(await enroller.post(body()))[-1]

    assert (last["done"], last["line"], last["error"]["status"]) == (False, 1_000, 408)


async def test_bounds_of_ordinary_bodies_are_not_those_of_a_stream(servers: Servers) -> None:
    settings = settings_for(
        servers,
        amqp_url=servers.rabbitmq.create_vhost("stream"),
        api_body_timeout_seconds=0.2,
        api_body_budget_bytes=1_500_000,
    )
    loop = asyncio.get_running_loop()

    async def body() -> AsyncGenerator[bytes]:
        for _ in range(3):
            yield b"x" * 1_000_000
        until = loop.time() + 0.5
        while loop.time() < until:
            yield new_lines(1_000)

    async with connect(settings) as database, running(settings, database) as api:
        last = told(await Enroller(api, await api.new_app()).post(body()))[-1]
        await database.drop()

    assert (last["done"], last["failed"]) == (True, 1)


async def test_the_document_describes_both_kinds_of_body(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    operation = document["paths"]["/push/apps/{app_id}/users"]["post"]
    for described in (operation["requestBody"], operation["responses"]["200"]):
        assert described["content"].keys() == {"application/json", NDJSON}
        assert described["content"][NDJSON]["schema"]["type"] == "string"


async def test_many_callers_may_enrol_the_same_users(enroller: Enroller) -> None:
    text = new_lines(2_000)
    reversed_text = b"".join(reversed(text.splitlines(keepends=True)))

    answers = await asyncio.gather(
        *(enroller.post(text if i % 2 else reversed_text) for i in range(6))
    )

    assert {told(answer)[-1]["enrolled"] for answer in answers} == {2_000}
    assert await enroller.enrolled() == 2_000


async def test_ten_thousand_in_one_body_take_little_time_and_memory(enroller: Enroller) -> None:
    users = [str(uuid4()) for _ in range(10_000)]
    body = json.dumps({"user_ids": users}).encode()
    too_many = json.dumps({"user_ids": [*users, str(uuid4())]}).encode()
    tracemalloc.start()
    try:
        started = time.monotonic()
        answer = await enroller.post(body, "application/json")
        seconds = time.monotonic() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    refused = await enroller.post(too_many, "application/json")

    assert (answer.status_code, answer.json()) == (200, {"enrolled": 10_000})
    assert seconds < 20  # a few, with the tracing
    assert peak < 40_000_000
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "#/user_ids")
    assert await enroller.enrolled() == 10_000


@pytest.fixture
async def mongod(tmp_path: Path) -> AsyncIterator[Mongod]:
    """A server of one's own, to be killed."""
    mongod = Mongod(tmp_path / "mongod", cache_gb=0.25)
    mongod.start()
    try:
        yield mongod
    finally:
        mongod.stop()


@pytest.mark.parametrize("batches_before", [0, 2])
async def test_an_outage_in_the_middle_tells_where_to_go_on(
    servers: Servers, mongod: Mongod, batches_before: int
) -> None:
    settings = settings_for(servers, mongo_url=mongod.url)
    text = new_lines(5_000)
    lines = text.splitlines(keepends=True)

    async def body() -> AsyncGenerator[bytes]:
        for number in range(5):
            if number == batches_before:
                mongod.kill()
            yield b"".join(lines[1_000 * number : 1_000 * (number + 1)])

    async with connect(settings) as database, running(settings, database) as api:
        enroller = Enroller(api, await api.new_app())
        answer = await enroller.post(body())
        mongod.start()
        safe = check_outage(answer, batches_before)
        rest = await enroller.post(b"".join(lines[safe:]))
        assert told(rest)[-1] == {
            "done": True,
            "lines": 5_000 - safe,
            "enrolled": 5_000 - safe,
            "failed": 0,
        }
        assert await enroller.enrolled() == 5_000


def check_outage(answer: httpx.Response, batches_before: int) -> int:
    """The last line that is safe; an outage before the first is an ordinary 503."""
    if batches_before == 0:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        return 0
    last = told(answer)[-1]
    assert last["error"] == {"status": 503, "detail": "Service unavailable"}
    assert (last["done"], last["line"], last["enrolled"]) == (False, 2_000, 2_000)
    safe: int = last["line"]
    return safe
