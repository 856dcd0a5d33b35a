"""Bodies on a real connection: sizes that lie, bodies that stall, clients that leave."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvicorn
from litestar import Request, Router, post
from litestar.datastructures import State

from api import protocol
from api.app import assemble
from api.bodies.bounds import Bounds
from api.protocol import BoundedProtocol
from tests.eventually import eventually

MIB = 1_048_576
BOUNDS = Bounds(budget_bytes=3 * MIB, timeout_seconds=0.5)
Answer = tuple[int, dict[str, str], Any]


@post("/read", status_code=200, request_max_body_size=2 * MIB)
async def read(request: Request[Any, Any, State]) -> int:
    return len(await request.body())


class Connection:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def head(self, *fields: str) -> None:
        given = ("POST /read HTTP/1.1", "Host: t", "Content-Type: application/json", *fields)
        await self.send(("\r\n".join(given) + "\r\n\r\n").encode())

    async def answer(self) -> Answer:
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        status, *fields = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(status.split()[1]), headers, json.loads(body or b"null")

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(1), 10) == b""

    def close(self) -> None:
        self.writer.close()


class Server:
    def __init__(self, port: int) -> None:
        self._port = port
        self._connections: list[Connection] = []

    async def connect(self) -> Connection:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self._port))
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


@asynccontextmanager
async def serving(bounds: Bounds) -> AsyncIterator[Server]:
    app = assemble([Router("/", route_handlers=[read])], bounds=bounds)
    config = uvicorn.Config(
        cast("Any", app), http=BoundedProtocol, lifespan="off", log_config=None, access_log=False
    )
    uvicorn_server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(uvicorn_server.serve(sockets=[listener]))
        server = Server(listener.getsockname()[1])
        yield server
        server.close()
        uvicorn_server.should_exit = True
        await running


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(BOUNDS) as server:
        yield server


def chunk(size: int) -> bytes:
    return b"%x\r\n" % size + b" " * size + b"\r\n"


async def test_an_announced_body_over_the_limit_is_a_413_at_once(server: Server) -> None:
    connection = await server.connect()
    await connection.head(f"Content-Length: {2 * MIB + 1}")
    status, headers, problem = await connection.answer()
    assert (status, problem["detail"]) == (413, "Request body too large")
    assert headers["content-type"] == "application/problem+json"


async def test_a_chunked_body_over_the_limit_is_a_413(server: Server) -> None:
    connection = await server.connect()
    await connection.head("Transfer-Encoding: chunked")
    await connection.send(chunk(MIB), chunk(MIB), chunk(1))
    assert (await connection.answer())[0] == 413


async def test_a_connection_goes_on_after_a_413(server: Server) -> None:
    connection = await server.connect()
    await connection.head("Transfer-Encoding: chunked")
    await connection.send(chunk(2 * MIB), chunk(MIB), b"0\r\n\r\n")
    assert (await connection.answer())[0] == 413
    await connection.head("Content-Length: 5")
    await connection.send(b"     ")
    status, _, count = await connection.answer()
    assert (status, count) == (200, 5)


async def test_a_body_shorter_than_announced_is_a_408(server: Server) -> None:
    connection = await server.connect()
    await connection.head(f"Content-Length: {2 * MIB}")
    await connection.send(b" " * MIB)
    status, headers, problem = await connection.answer()
    assert (status, problem["detail"]) == (408, "Request body did not arrive in time")
    assert headers["connection"] == "close"
    assert await connection.is_closed()


async def test_a_body_that_waits_for_leave_is_refused_before_it_is_sent() -> None:
    async with serving(Bounds(budget_bytes=MIB, timeout_seconds=5)) as server:
        connection = await server.connect()
        await connection.head(f"Content-Length: {2 * MIB}", "Expect: 100-continue")
        status, headers, _ = await connection.answer()
    assert (status, headers["retry-after"]) == (503, "1")


async def test_the_budget_is_given_back_when_a_client_leaves(server: Server) -> None:
    for _ in range(5):
        leaving = await server.connect()
        await leaving.head(f"Content-Length: {2 * MIB}")
        await leaving.send(b" " * MIB)
        leaving.close()

    async def is_taken() -> bool:
        connection = await server.connect()
        await connection.head(f"Content-Length: {2 * MIB}")
        await connection.send(b" " * 2 * MIB)
        return (await connection.answer())[0] == 200

    await eventually(is_taken, within_seconds=5)


async def refused(connection: Connection) -> tuple[int, str]:
    """What a connection is told before it is closed."""
    status, headers, problem = await connection.answer()
    assert headers["content-type"] == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "trace_id"}
    assert problem["trace_id"] == headers["x-request-id"]
    assert await connection.is_closed()
    return status, problem["detail"]


async def test_a_head_without_end_is_a_431(server: Server) -> None:
    connection = await server.connect()
    await connection.send(b"GET /read HTTP/1.1\r\nHost: t\r\nX: ", b"x" * 70_000)
    assert await refused(connection) == (431, "Request header fields too large")


async def test_an_endless_list_of_fields_is_a_431(server: Server) -> None:
    connection = await server.connect()
    await connection.send(b"GET /read HTTP/1.1\r\nHost: t\r\n", b"X: x\r\n" * 11_000)
    assert (await refused(connection))[0] == 431


@pytest.mark.parametrize("start", [b"", b"GET /read HT", b"POST /read HTTP/1.1\r\nHost: t\r\n"])
async def test_a_head_that_does_not_arrive_is_a_408(
    start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    async with serving(BOUNDS) as server:
        connection = await server.connect()
        await connection.send(start)
        assert await refused(connection) == (408, "Request did not arrive in time")


async def test_a_second_head_that_does_not_arrive_is_a_408(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    async with serving(BOUNDS) as server:
        connection = await server.connect()
        await connection.head("Content-Length: 1")
        await connection.send(b" ")
        first = await connection.answer()
        await connection.send(b"POST /re")
        assert (first[0], (await refused(connection))[0]) == (200, 408)


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: t\r\n\r\n",
        b"POST /read HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n",
        b"POST /read HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n",
        b"POST /read HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /read HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /read HTTP/1.1\r\nX\x00: y\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_400(server: Server, text: bytes) -> None:
    connection = await server.connect()
    await connection.send(text)
    assert await refused(connection) == (400, "Not an HTTP request")


async def test_a_large_head_within_the_bound_passes(server: Server) -> None:
    connection = await server.connect()
    await connection.head("Content-Length: 1", "X: " + "x" * 60_000)
    await connection.send(b" ")
    assert (await connection.answer())[0] == 200
