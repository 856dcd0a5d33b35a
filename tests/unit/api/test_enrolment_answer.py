"""The answer to a stream: when it begins, and that it never waits for a caller to read it."""

import asyncio
import json
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any, cast

import pytest

from api.errors import FieldError, UnavailableError
from api.routes.enrolment_stream import CallerGone, Streamed
from api.services.enrolments import Event, Finished, Progress, Refused, Stopped

FAULT = FieldError("#", "not valid JSON")


class Caller:
    """Takes what is sent; nothing of the body before `reads` is set."""

    def __init__(self, *, reads: bool = True) -> None:
        self.messages: list[MutableMapping[str, Any]] = []
        self.reads = asyncio.Event()
        if reads:
            self.reads.set()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
        self.messages.append(message)

    def lines(self) -> list[dict[str, Any]]:
        body = b"".join(message.get("body", b"") for message in self.messages)
        return [json.loads(line) for line in body.splitlines()]

    @property
    def is_complete(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", True)


async def answer(caller: Caller, events: AsyncGenerator[Event]) -> None:
    nothing: Any = None
    application = Streamed(events).to_asgi_response(None, nothing)
    await application(nothing, nothing, cast("Any", caller.send))


async def test_an_answer_is_lines_as_they_come() -> None:
    caller = Caller()

    async def events() -> AsyncGenerator[Event]:
        assert caller.messages == []
        yield Refused(3, FAULT)
        await asyncio.sleep(0)
        yield Progress(1_000, 999, 1)
        await asyncio.sleep(0)
        assert [line["line"] for line in caller.lines()] == [3, 1_000]
        yield Finished(Progress(1_000, 999, 1))

    await answer(caller, events())

    assert caller.messages[0]["status"] == 200
    assert caller.lines()[-1] == {"done": True, "lines": 1_000, "enrolled": 999, "failed": 1}
    assert caller.is_complete


async def test_a_caller_who_reads_last_misses_progress_only() -> None:
    caller = Caller(reads=False)

    async def events() -> AsyncGenerator[Event]:
        for number in range(1, 1_001):
            await asyncio.sleep(0)
            if number % 100 == 0:
                yield Refused(1_000 * number, FAULT)
            yield Progress(1_000 * number, 1_000 * number, 0)
        caller.reads.set()  # the body is sent: now it reads
        yield Finished(Progress(1_000_000, 1_000_000, 0))

    await answer(caller, events())

    lines = caller.lines()
    assert [line["line"] for line in lines if "error" in line] == [
        *range(100_000, 10**6 + 1, 10**5)
    ]
    assert lines[-1]["done"] is True
    assert len(lines) < 20
    assert caller.is_complete


async def test_what_fails_before_the_first_line_is_an_ordinary_error() -> None:
    caller = Caller()

    async def events() -> AsyncGenerator[Event]:
        yield Stopped(Progress(), UnavailableError())

    with pytest.raises(UnavailableError):
        await answer(caller, events())
    assert caller.messages == []


async def test_a_caller_who_is_gone_ends_the_work() -> None:
    caller, is_closed = Caller(), False

    async def events() -> AsyncGenerator[Event]:
        nonlocal is_closed
        try:
            yield Progress(1_000, 1_000, 0)
            raise CallerGone
        finally:
            is_closed = True

    await answer(caller, events())

    assert is_closed
    assert not caller.is_complete
