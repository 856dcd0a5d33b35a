"""A body arrives in time and within the budget, which is given back whatever happens."""

import asyncio
import gc
import itertools
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, Request, Router, post
from litestar.datastructures import State
from litestar.types import Message, Scope

from api.app import assemble
from api.bodies.bounds import SMALL_BYTES_MAX, BodyBudget, Bounds
from api.errors import BodyBudgetSpentError
from tests.unit.api.doubles import client_of

MIB = 1_048_576
BOUNDS = Bounds(budget_bytes=3 * MIB, timeout_seconds=60)
JSON = {"content-type": "application/json"}
held = asyncio.Semaphore(0)
arrived = asyncio.Semaphore(0)
AnyRequest = Request[Any, Any, State]


@post("/read", status_code=200, request_max_body_size=2 * MIB)
async def read(request: AnyRequest) -> int:
    return len(await request.body())


@post("/hold", status_code=200, request_max_body_size=4 * MIB)
async def hold(request: AnyRequest) -> int:
    size = len(await request.body())
    arrived.release()
    await held.acquire()
    return size


@post("/fail", request_max_body_size=4 * MIB)
async def fail(request: AnyRequest) -> None:
    await request.body()
    raise ZeroDivisionError


@pytest.fixture
def app() -> Litestar:
    return assemble([Router("/", route_handlers=[read, hold, fail])], bounds=BOUNDS)


@pytest.fixture
async def http(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        client.headers.update(JSON)
        yield client


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    """A body without Content-Length."""
    for size in sizes:
        yield b" " * size


async def answered(
    app: Litestar,
    path: str,
    messages: Iterable[Message],
    headers: dict[str, str],
    every_seconds: float = 0,
) -> list[Any]:
    """Everything that the application sends; after the last message nothing more arrives."""
    sent: list[Any] = []
    coming = iter(messages)

    async def receive() -> Any:
        await asyncio.wait([never], timeout=every_seconds)
        message = next(coming, None)
        return message if message is not None else await never

    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in (JSON | headers).items()],
        "http_version": "1.1",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("t.local", 80),
        "state": {},
    }
    whole: Scope = scope
    await app(whole, receive, send)
    return sent


def part(size: int, *, more: bool = True) -> Message:
    message: Any = {"type": "http.request", "body": b" " * size, "more_body": more}
    whole: Message = message
    return whole


async def takes_all(http: httpx.AsyncClient) -> None:
    """The whole budget is free again."""
    holding = asyncio.create_task(http.post("/hold", content=b" " * 3 * MIB))
    await arrived.acquire()
    held.release()
    assert (await holding).status_code == 200


@pytest.mark.parametrize("count", [SMALL_BYTES_MAX, SMALL_BYTES_MAX + 1, 2 * MIB])
async def test_a_body_within_the_bounds_passes(http: httpx.AsyncClient, count: int) -> None:
    announced = await http.post("/read", content=b" " * count)
    chunked = await http.post("/read", content=chunks(count - 5, 5))
    assert [announced.json(), chunked.json()] == [count, count]


async def test_a_body_over_the_limit_is_a_413(http: httpx.AsyncClient) -> None:
    announced = await http.post("/read", content=b" " * (2 * MIB + 1))
    chunked = await http.post("/read", content=chunks(2 * MIB, 1))
    assert [announced.status_code, chunked.status_code] == [413, 413]
    assert announced.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("announced", "sizes", "status"),
    [
        (str(2 * MIB + 1), [1], 413),
        ("1", [2 * MIB, 1], 413),
        ("1", [5], 200),
        ("9" * 5_000, [5], 400),
        ("x", [5], 400),
        ("-1", [5], 200),
    ],
)
async def test_a_lying_content_length_is_not_believed(
    app: Litestar, announced: str, sizes: list[int], status: int
) -> None:
    parts = [part(size) for size in sizes] + [part(0, more=False)]
    sent = await answered(app, "/read", parts, {"content-length": announced})
    assert sent[0]["status"] == status


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_over_the_budget_is_refused_until_the_other_is_answered(
    http: httpx.AsyncClient, is_announced: bool
) -> None:
    holding = asyncio.create_task(http.post("/hold", content=b" " * 2 * MIB))
    await arrived.acquire()
    large = b" " * (MIB + 1)
    answer = await http.post("/read", content=large if is_announced else chunks(MIB, 1))
    small = await http.post("/read", content=b" " * MIB)
    held.release()
    assert (await holding).status_code == 200
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"] == "Too many large requests"
    assert small.status_code == 200
    assert (await http.post("/read", content=large)).status_code == 200


async def test_an_announced_body_is_refused_before_it_is_read(app: Litestar) -> None:
    sent = await answered(app, "/hold", [], {"content-length": str(3 * MIB + 1)})
    assert sent[0]["status"] == 503


async def test_the_budget_is_given_back_after_a_failure(http: httpx.AsyncClient) -> None:
    assert (await http.post("/fail", content=b" " * 3 * MIB)).status_code == 500
    await takes_all(http)


async def test_the_budget_is_given_back_after_a_refusal(http: httpx.AsyncClient) -> None:
    assert (await http.post("/read", content=chunks(2 * MIB, 1))).status_code == 413
    assert (await http.post("/hold", content=chunks(2 * MIB, 2 * MIB))).status_code == 503
    await takes_all(http)


async def test_the_budget_is_given_back_when_the_client_leaves(
    app: Litestar, http: httpx.AsyncClient
) -> None:
    gone: Any = {"type": "http.disconnect"}
    sent = await answered(app, "/hold", [part(2 * MIB), gone], {})
    assert sent[0]["status"] == 400
    await takes_all(http)


async def test_the_budget_is_given_back_when_the_request_is_cancelled(
    app: Litestar, http: httpx.AsyncClient
) -> None:
    body = [part(2 * MIB, more=False)]
    holding = asyncio.create_task(answered(app, "/hold", body, {}))
    await arrived.acquire()
    holding.cancel()
    await asyncio.wait([holding])
    await takes_all(http)


async def test_a_body_that_does_not_arrive_is_a_408() -> None:
    bounds = Bounds(budget_bytes=3 * MIB, timeout_seconds=0.05)
    app = assemble([Router("/", route_handlers=[read])], bounds=bounds)
    sent = await answered(app, "/read", [part(1)], {"content-length": str(2 * MIB)})
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    async with client_of(app) as http:
        assert (await http.post("/read", content=b" " * 2 * MIB, headers=JSON)).status_code == 200


async def test_a_body_that_drips_is_a_408() -> None:
    bounds = Bounds(timeout_seconds=0.1)
    app = assemble([Router("/", route_handlers=[read])], bounds=bounds)
    async with asyncio.timeout(10):
        sent = await answered(app, "/read", itertools.repeat(part(1)), {}, every_seconds=0.01)
    assert sent[0]["status"] == 408


async def test_the_answer_may_take_longer_than_the_body() -> None:
    bounds = Bounds(timeout_seconds=0.05)
    app = assemble([Router("/", route_handlers=[hold])], bounds=bounds)
    holding = asyncio.create_task(answered(app, "/hold", [part(1, more=False)], {}))
    await arrived.acquire()
    done, _ = await asyncio.wait([holding], timeout=0.1)
    held.release()
    sent = await holding
    assert (len(done), sent[0]["status"]) == (0, 200)


async def test_the_scope_does_not_keep_the_body(app: Litestar) -> None:
    """Servers keep a connection's last scope: a body in it would outlive its claim."""
    kept: list[Any] = []

    async def keeping(scope: Any, receive: Any, send: Any) -> None:
        kept.append(scope)
        await app(scope, receive, send)

    async with client_of(cast("Litestar", keeping)) as http:
        await http.post("/read", content=b" ", headers=JSON)
        tracemalloc.start()
        await http.post("/read", content=chunks(MIB, MIB), headers=JSON)
        gc.collect()
        left, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(kept) == 2
    assert left < MIB


def test_a_budget_is_taken_whole_or_not_at_all() -> None:
    budget = BodyBudget(10)
    budget.take(6)
    with pytest.raises(BodyBudgetSpentError):
        budget.take(5)
    budget.take(4)
    budget.give_back(10)
    assert budget.free_bytes == 10
