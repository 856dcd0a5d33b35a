"""Enrolments: which users an app may send to, managed by its admins and its own backend."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from uuid import UUID

import msgspec

from api.errors import (
    AppNotFoundError,
    EnrolmentNotFoundError,
    FieldError,
    ServiceError,
    UnavailableError,
)
from shared.storage.apps import AppRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.mongo import StorageUnavailable

BATCH = 1_000  # users per write: each write has a few seconds


class Entry(msgspec.Struct, frozen=True):
    """One line of a stream: a user, what is wrong with it, or None when it is blank."""

    line: int
    user: UUID | FieldError | None


class Refused(msgspec.Struct, frozen=True):
    """A line that names no user."""

    line: int
    error: FieldError


class Progress(msgspec.Struct, frozen=True):
    """All lines up to `line` are done: so many named users, who are enrolled, so many were bad."""

    line: int = 0
    enrolled: int = 0
    failed: int = 0


class Stopped(msgspec.Struct, frozen=True):
    """The stream came to an early end; `done` is what is safe, so go on behind its line."""

    done: Progress
    error: ServiceError


class Finished(msgspec.Struct, frozen=True):
    """The stream was read to its end."""

    done: Progress


Event = Refused | Progress | Stopped | Finished


class EnrolmentService:
    """Enrolling twice is the same as once."""

    def __init__(self, enrolments: EnrolmentRepository, apps: AppRepository) -> None:
        self._enrolments = enrolments
        self._apps = apps

    async def enroll(self, app_id: UUID, user_ids: Sequence[UUID]) -> int:
        """How many distinct users of those are enrolled now: all of them."""
        distinct = list(dict.fromkeys(user_ids))
        for start in range(0, len(distinct), BATCH):
            await self._enrolments.enroll(app_id, distinct[start : start + BATCH])
        return len(distinct)

    async def enroll_stream(
        self, app_id: UUID, entries: AsyncIterable[Entry], *, shown_max: int
    ) -> AsyncGenerator[Event]:
        """Enrol users as they come; nothing is read while a batch is being written.

        Yields:
            Up to `shown_max` bad lines, progress after each batch, and how it ended.
        """
        done, shown = Progress(), 0
        batch: list[Entry] = []
        try:
            async for entry in entries:
                batch.append(entry)
                if isinstance(entry.user, FieldError) and shown < shown_max:
                    shown += 1
                    yield Refused(entry.line, entry.user)
                if len(batch) == BATCH:
                    done = await self._enroll_batch(app_id, batch, done)
                    batch = []
                    yield done
            if batch:
                done = await self._enroll_batch(app_id, batch, done)
                yield done
        except ServiceError as error:
            yield Stopped(done, error)
        except StorageUnavailable:
            yield Stopped(done, UnavailableError())
        else:
            yield Finished(done)

    async def _enroll_batch(self, app_id: UUID, batch: list[Entry], done: Progress) -> Progress:
        users = [entry.user for entry in batch if isinstance(entry.user, UUID)]
        if not await self._apps.exists(app_id):  # a stream may last longer than its app
            raise AppNotFoundError
        await self._enrolments.enroll(app_id, list(dict.fromkeys(users)))
        return Progress(
            line=batch[-1].line,
            enrolled=done.enrolled + len(users),
            failed=done.failed + sum(isinstance(entry.user, FieldError) for entry in batch),
        )

    async def check(self, app_id: UUID, user_id: UUID | None) -> UUID:
        """The user's id, if they are enrolled.

        Raises:
            EnrolmentNotFoundError: they are not.
        """
        if user_id is None or not await self._enrolments.is_enrolled(app_id, user_id):
            raise EnrolmentNotFoundError
        return user_id

    async def withdraw(self, app_id: UUID, user_id: UUID | None) -> None:
        """End an enrolment.

        Raises:
            EnrolmentNotFoundError: there is none.
        """
        if user_id is None or not await self._enrolments.withdraw(app_id, user_id):
            raise EnrolmentNotFoundError
