"""`fanfare enrol`: the users of a file into an app, by the same service as the API's stream."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from typing import BinaryIO, Self
from uuid import UUID

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from api.schemas.enrolment_lines import Fault, entries_of
from api.services import enrolments
from api.services.enrolments import EnrolmentService, Event
from api.settings import ApiSettings
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.storage.apps import AppRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.mongo import connect

FAULTS_SHOWN_MAX = 20
_CHUNK_BYTES = 65_536


class NoSuchApp(Exception):
    """There is no app with this id."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file; if it is not `done`, all up to line `lines` are."""

    done: bool
    lines: int
    enrolled: int
    failed: int
    faults: list[Fault]  # of the first lines that were refused
    error: str | msgspec.UnsetType = msgspec.UNSET


async def enrol(settings: ApiSettings, file: BinaryIO, app_id: UUID) -> Summary:
    """Enrol the users of a file and show how it goes on stderr.

    Raises:
        NoSuchApp: there is none with that id.
        StorageUnavailable: MongoDB is away; nothing was begun.
    """
    async with connect(settings) as database:
        apps = AppRepository(database, Keyring.from_settings(settings))
        if not await apps.exists(app_id):
            raise NoSuchApp(str(app_id))
        service = EnrolmentService(EnrolmentRepository(database, utc_now), apps)
        with Display(file) as display:
            entries = entries_of(display.chunks(), plain=True)
            events = service.enroll_stream(app_id, entries, shown_max=FAULTS_SHOWN_MAX)
            return await _followed(events, display)


async def _followed(events: AsyncGenerator[Event], display: "Display") -> Summary:
    faults: list[Fault] = []
    async for event in events:
        match event:
            case enrolments.Refused(line, error):
                faults.append(Fault(line, error))
                display.show_fault(faults[-1])
            case enrolments.Progress():
                display.show_progress(event)
            case enrolments.Finished(done):
                return _summary(done, faults)
            case enrolments.Stopped(done, reason):
                return _summary(done, faults, reason.detail)
    raise ValueError("an enrolment tells how it ended")


def _summary(
    done: enrolments.Progress, faults: list[Fault], error: str | msgspec.UnsetType = msgspec.UNSET
) -> Summary:
    return Summary(
        done=error is msgspec.UNSET,
        lines=done.line,
        enrolled=done.enrolled,
        failed=done.failed,
        faults=faults,
        error=error,
    )


class Display:
    """A progress bar on stderr, where that is a terminal, and the lines that were refused."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.fields[lines]:,} lines, {task.fields[rate]:,.0f} a second"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        self._task = self._bar.add_task("", total=_size(self._file), lines=0, rate=0.0)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The file, read as fast as its lines are dealt with."""
        while chunk := await _read(self._file.fileno()):
            yield chunk
            self._bar.advance(self._task, len(chunk))

    def show_progress(self, done: enrolments.Progress) -> None:
        elapsed = self._bar.tasks[0].elapsed or 0.0
        rate = done.line / elapsed if elapsed else 0.0
        self._bar.update(self._task, lines=done.line, rate=rate)

    def show_fault(self, fault: Fault) -> None:
        where = fault.error.pointer.removeprefix("#/").removeprefix("#")
        text = f"{where}: {fault.error.detail}" if where else fault.error.detail
        self._console.print(f"line {fault.line}: {text}")


async def _read(descriptor: int) -> bytes:
    """What there is, once there is something; a pipe or a terminal may keep us waiting."""
    loop, is_readable = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(descriptor, is_readable.set)
    except PermissionError:  # a regular file always is
        return os.read(descriptor, _CHUNK_BYTES)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _CHUNK_BYTES)


def _size(file: BinaryIO) -> int | None:
    """How long a regular file is; a pipe's length is not known."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None
