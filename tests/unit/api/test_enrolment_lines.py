"""Lines of users: however they are cut, what is wrong with one, and how little is held."""

import itertools
import json
import tracemalloc
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, cast
from uuid import UUID

import pytest

from api.errors import FieldError, UnavailableError
from api.schemas.enrolment_lines import entries_of, line_of
from api.services.enrolments import (
    BATCH,
    EnrolmentService,
    Entry,
    Event,
    Finished,
    Progress,
    Refused,
    Stopped,
)
from shared.storage.apps import AppRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.mongo import StorageUnavailable
from tests.unit.api.doubles import APP, OTHER_USER, USER


async def pieces(texts: Iterable[bytes]) -> AsyncGenerator[bytes]:
    for text in texts:
        yield text


async def read(*texts: bytes, plain: bool = False) -> list[Entry]:
    return [entry async for entry in entries_of(pieces(texts), plain=plain)]


class Enrolments:
    """Keeps who was enrolled, in the batches that they came in; away when it is told to be."""

    def __init__(self, *, good_batches: int = 1_000_000, keeps: bool = True) -> None:
        self.batches: list[list[UUID]] = []
        self.count = 0
        self._good_batches, self._keeps = good_batches, keeps

    async def enroll(self, _: UUID, user_ids: Sequence[UUID]) -> None:
        if self.count == self._good_batches:
            raise StorageUnavailable("away")
        self.count += 1
        if self._keeps:
            self.batches.append(list(user_ids))


class Apps:
    """Holds one app until so many looks."""

    def __init__(self, looks: int = 1_000_000) -> None:
        self._looks = looks

    async def exists(self, _: UUID) -> bool:
        self._looks -= 1
        return self._looks >= 0


def service(enrolments: Enrolments, apps: Apps | None = None) -> EnrolmentService:
    return EnrolmentService(
        cast("EnrolmentRepository", enrolments), cast("AppRepository", apps or Apps())
    )


async def enrolled(
    entries: Iterable[Entry], enrolments: Enrolments, apps: Apps | None = None
) -> list[Event]:
    async def source() -> AsyncGenerator[Entry]:
        for entry in entries:
            yield entry

    events = service(enrolments, apps).enroll_stream(APP, source(), shown_max=100)
    return [event async for event in events]


def users(count: int) -> list[Entry]:
    return [Entry(number, UUID(int=number)) for number in range(1, count + 1)]


TEXT = b'{"user_id": "%s"}\r\n\n  \n"%s"\nx\n{"user_id":"%s"}' % (
    str(USER).encode(),
    OTHER_USER.hex.encode(),
    str(OTHER_USER).encode(),
)
ENTRIES = [
    Entry(1, USER),
    Entry(2, None),
    Entry(3, None),
    Entry(4, OTHER_USER),
    Entry(5, FieldError("#", "not valid JSON")),
    Entry(6, OTHER_USER),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 1_000])
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_lines_are_the_same_however_they_are_cut(size: int, end: bytes) -> None:
    text = TEXT + end
    assert await read(*(text[i : i + size] for i in range(0, len(text), size))) == ENTRIES


@pytest.mark.parametrize("texts", [(), (b"",), (b"", b"")])
async def test_nothing_is_no_line(texts: tuple[bytes, ...]) -> None:
    assert await read(*texts) == []


@pytest.mark.parametrize(
    ("line", "pointer", "detail"),
    [
        (b"5", "#", "Expected `uuid | object`, got `int`"),
        (b"null", "#", "Expected `uuid | object`, got `null`"),
        (b'["%s"]' % str(USER).encode(), "#", "Expected `uuid | object`, got `array`"),
        (b"{}", "#/user_id", "Object missing required field"),
        (b'{"user_id":5}', "#/user_id", "Expected `uuid`, got `int`"),
        (b'{"user_id":"x"}', "#/user_id", "Invalid UUID"),
        (b'"x"', "#", "Invalid UUID"),
        (b'{"user_id":"%s","x":1}' % str(USER).encode(), "#/x", "Object contains unknown field"),
        (b'{"user_id":"%s","user_id":"%s"}' % ((str(USER).encode(),) * 2), "#/user_id", "dupl"),
        (str(USER).encode(), "#", "not valid JSON"),
        (b'"%s" "%s"' % ((str(USER).encode(),) * 2), "#", "not valid JSON"),
        (b"\xff\xfe", "#", "not valid JSON"),
        (b'{"user_id":"\xff"}', "#/user_id", "Invalid UUID"),
        (b"\0", "#", "not valid JSON"),
        (b"[" * 1_000, "#", "Expected `uuid | object`, got `array`"),
    ],
)
async def test_a_bad_line_is_told_and_does_not_hide_the_next(
    line: bytes, pointer: str, detail: str
) -> None:
    bad, good = await read(line + b'\n"' + str(USER).encode() + b'"')
    assert isinstance(bad.user, FieldError)
    assert (bad.line, bad.user.pointer) == (1, pointer)
    assert bad.user.detail.startswith(detail)
    assert good == Entry(2, USER)


@pytest.mark.parametrize("size", [1, 100, 1_023, 1_024, 1_025, 10_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(("length", "is_good"), [(1_024, True), (1_025, False), (5_000, False)])
async def test_a_line_holds_1024_bytes(size: int, end: bytes, length: int, is_good: bool) -> None:
    line = (b'"%s"' % str(USER).encode()).rjust(length)
    text = line + end + line.strip()
    first, second = await read(*(text[i : i + size] for i in range(0, len(text), size)))
    assert first.user == (USER if is_good else FieldError("#", "longer than 1024 bytes"))
    assert second == Entry(2, USER)


async def test_plain_lines_are_bare_ids_with_a_header() -> None:
    text = f"user_id\r\n{USER}\n{OTHER_USER.hex}\nuser_id\n".encode() + TEXT.splitlines()[0]
    entries = await read(text, plain=True)
    assert [entry.user for entry in entries if isinstance(entry.user, UUID)] == [
        USER,
        OTHER_USER,
        USER,
    ]
    assert entries[0] == Entry(1, None)
    assert entries[3] == Entry(4, FieldError("#", "Invalid UUID"))


async def test_a_stream_is_enrolled_in_batches() -> None:
    enrolments = Enrolments()

    events = await enrolled(users(2 * BATCH + 1), enrolments)

    assert [len(batch) for batch in enrolments.batches] == [BATCH, BATCH, 1]
    assert events == [
        Progress(BATCH, BATCH, 0),
        Progress(2 * BATCH, 2 * BATCH, 0),
        Progress(2 * BATCH + 1, 2 * BATCH + 1, 0),
        Finished(Progress(2 * BATCH + 1, 2 * BATCH + 1, 0)),
    ]


async def test_an_empty_stream_is_finished_at_once() -> None:
    assert await enrolled([], Enrolments()) == [Finished(Progress(0, 0, 0))]


async def test_the_first_hundred_bad_lines_are_told_and_all_are_counted() -> None:
    fault = FieldError("#", "not valid JSON")
    entries = [Entry(number, fault) for number in range(1, 151)] + [Entry(151, USER)]

    events = await enrolled(entries, enrolments := Enrolments())

    assert events[:100] == [Refused(number, fault) for number in range(1, 101)]
    assert events[100:] == [Progress(151, 1, 150), Finished(Progress(151, 1, 150))]
    assert enrolments.batches == [[USER]]


async def test_a_user_who_is_named_twice_is_written_once() -> None:
    events = await enrolled([Entry(1, USER), Entry(2, USER)], enrolments := Enrolments())
    assert enrolments.batches == [[USER]]
    assert events[-1] == Finished(Progress(2, 2, 0))


async def test_an_outage_tells_the_last_line_that_is_safe() -> None:
    events = await enrolled(users(5 * BATCH), Enrolments(good_batches=2))

    assert events[:2] == [
        Progress(BATCH, BATCH, 0),
        Progress(2 * BATCH, 2 * BATCH, 0),
    ]
    (end,) = events[2:]
    assert isinstance(end, Stopped)
    assert (end.done, end.error.detail) == (
        Progress(2 * BATCH, 2 * BATCH, 0),
        "Service unavailable",
    )


async def test_a_stream_ends_with_its_app() -> None:
    enrolments = Enrolments()
    events = await enrolled(users(5 * BATCH), enrolments, Apps(looks=3))
    end = events[-1]
    assert isinstance(end, Stopped)
    assert (end.done.line, end.error.detail) == (3 * BATCH, "App not found")
    assert len(enrolments.batches) == 3


async def test_nothing_is_read_while_a_batch_is_written() -> None:
    enrolments, taken = Enrolments(), 0

    def source() -> Iterable[Entry]:
        nonlocal taken
        for entry in users(4 * BATCH):
            taken += 1
            assert (taken - 1) // BATCH == len(enrolments.batches)
            yield entry

    await enrolled(source(), enrolments)
    assert taken == 4 * BATCH


async def test_memory_does_not_grow_with_the_stream() -> None:
    line = b'{"user_id":"%s"}\n' % str(USER).encode()
    endless = itertools.repeat(line * 1_000 + b"x" * 70_000 + b"\n", 20)
    entries = entries_of(pieces(endless))
    events = service(Enrolments(keeps=False)).enroll_stream(APP, entries, shown_max=100)
    tracemalloc.start()
    try:
        last = [event async for event in events if not isinstance(event, Progress)][-1]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert last == Finished(Progress(20_020, 20_000, 20))
    assert peak < 1_500_000


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Progress(1_000, 998, 1), {"line": 1_000, "enrolled": 998, "failed": 1}),
        (
            Refused(7, FieldError("#/user_id", "Invalid UUID")),
            {"line": 7, "error": {"pointer": "#/user_id", "detail": "Invalid UUID"}},
        ),
        (
            Finished(Progress(9, 8, 1)),
            {"done": True, "lines": 9, "enrolled": 8, "failed": 1},
        ),
        (
            Stopped(Progress(9, 8, 1), UnavailableError()),
            {
                "done": False,
                "line": 9,
                "enrolled": 8,
                "failed": 1,
                "error": {"status": 503, "detail": "Service unavailable"},
            },
        ),
    ],
)
def test_an_event_is_told_as_a_line(event: Event, told: dict[str, Any]) -> None:
    line = line_of(event)
    assert line.endswith(b"\n")
    assert json.loads(line) == told
