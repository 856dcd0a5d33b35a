"""Enrolments: which users an app may send to, managed by its admins and its own backend."""

from collections.abc import Sequence
from uuid import UUID

from api.errors import EnrolmentNotFoundError
from shared.storage.enrolments import EnrolmentRepository


class EnrolmentService:
    """Enrolling twice is the same as once."""

    def __init__(self, enrolments: EnrolmentRepository) -> None:
        self._enrolments = enrolments

    async def enroll(self, app_id: UUID, user_ids: Sequence[UUID]) -> int:
        """How many distinct users of those are enrolled now: all of them."""
        distinct = list(dict.fromkeys(user_ids))
        await self._enrolments.enroll(app_id, distinct)
        return len(distinct)

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
