"""A stream of users over a real connection: both ways at once, in bounded memory, until hung up."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx

from tests.e2e.figures import Figures
from tests.e2e.records import open_record
from tests.e2e.system import System
from tests.e2e.tenant import Tenant
from tests.eventually import eventually

BATCH = 1_000


def lines(count: int) -> bytes:
    return b"".join(b'{"user_id":"%b"}\n' % str(uuid4()).encode() for _ in range(count))


class Connection:
    """One request whose body is sent piece by piece while its answer is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, body: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        await self._writer.drain()

    async def line(self) -> dict[str, Any]:
        """The next line of the answer, past its headers and the marks of its chunks."""
        while not (text := await self._reader.readline()).startswith(b"{"):
            assert text, "the connection is closed"
        found: dict[str, Any] = json.loads(text)
        return found

    def hang_up(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def streaming(tenant: Tenant) -> AsyncIterator[Connection]:
    url = urlsplit(tenant.system.api_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = (
        f"POST /push/apps/{tenant.app_id}/users HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Authorization: Bearer {tenant.service()}\r\nContent-Type: application/x-ndjson\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode())
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


async def enrolled(system: System, tenant: Tenant) -> int:
    async with open_record(system) as database:
        return await database["enrolments"].count({"app_id": UUID(tenant.app_id)})


async def test_progress_arrives_while_lines_are_being_sent(tenant: Tenant) -> None:
    async with streaming(tenant) as connection:
        for batch in (1, 2, 3):
            await connection.send(lines(BATCH))
            done = batch * BATCH
            assert await connection.line() == {"line": done, "enrolled": done, "failed": 0}
        await connection.send(b"nonsense\n")
        assert (await connection.line())["line"] == 3 * BATCH + 1


async def test_hanging_up_ends_the_work(system: System, tenant: Tenant) -> None:
    async with streaming(tenant) as connection:
        await connection.send(lines(BATCH))
        await connection.line()
        await connection.send(lines(BATCH // 2))
        connection.hang_up()

    async def is_abandoned() -> bool:
        return "enrolment.abandoned" in system.logs()

    await eventually(is_abandoned, what="the end of the stream")
    assert await enrolled(system, tenant) == BATCH


async def test_memory_does_not_grow_with_a_stream(
    system: System, tenant: Tenant, api: httpx.AsyncClient, figures: Figures
) -> None:
    batches = 60
    sent: list[int] = []

    async def body() -> AsyncGenerator[bytes]:
        for _ in range(batches):
            yield lines(BATCH) + b"x" * 100_000 + b"\n"
            sent.append(resident_kib(system))

    loop = asyncio.get_running_loop()
    started = loop.time()
    answer = await api.post(
        f"/push/apps/{tenant.app_id}/users",
        content=body(),
        headers={
            "authorization": f"Bearer {tenant.service()}",
            "content-type": "application/x-ndjson",
        },
        timeout=300,
    )
    rate = batches * BATCH / (loop.time() - started)

    total = json.loads(answer.text.splitlines()[-1])
    assert total == {
        "done": True,
        "lines": batches * (BATCH + 1),
        "enrolled": batches * BATCH,
        "failed": batches,
    }
    assert max(sent) - sent[len(sent) // 4] < 16_384
    figures.note("users enrolled by stream, a second", round(rate))


def resident_kib(system: System) -> int:
    """What the API's process holds of the memory."""
    assert system.api
    status = Path(f"/proc/{system.api.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
