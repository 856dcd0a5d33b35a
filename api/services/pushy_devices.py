"""The Pushy API's devices: one active session per user, and the topics that a device follows."""

from collections.abc import Sequence
from uuid import UUID

from api.auth.principals import Admin, Service, User
from api.errors import FieldError, UserNotEnrolledError
from api.services.pushy_calls import PushyCalls
from api.services.pushy_errors import InvalidDeviceTokenError
from shared.domain.apps import App
from shared.domain.devices import Device, Platform
from shared.storage.devices import Registration
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.sessions import SessionRepository

ALL_TOPICS = "*"


class PushyDeviceService:
    """Pushy is asked first and mirrored then: what a mirror missed, the next call mends."""

    def __init__(
        self, sessions: SessionRepository, enrolments: EnrolmentRepository, pushy: PushyCalls
    ) -> None:
        self._sessions = sessions
        self._enrolments = enrolments
        self._pushy = pushy

    async def begin_session(
        self, app: App, user: User, *, token: str, platform: Platform, language: str
    ) -> None:
        """Make the token the user's only active one, and nobody else's.

        Raises:
            UserNotEnrolledError: the app enrols its users itself, and has not enrolled this one.
        """
        if app.auto_enroll:
            await self._enrolments.enroll(app.app_id, [user.user_id])
        elif not await self._enrolments.is_enrolled(app.app_id, user.user_id):
            raise UserNotEnrolledError([FieldError("#", "the token's user is not enrolled")])
        registration = Registration(
            user_id=user.user_id,
            platform=platform,
            provider="pushy",
            token=token,
            language=language,
        )
        await self._sessions.begin(app.app_id, registration)

    async def active_of(self, app: App, user: User) -> list[Device]:
        return await self._sessions.active_of(app.app_id, user.user_id)

    async def subscribe(self, app: App, user: User, token: str, topics: Sequence[str]) -> None:
        """Subscribe the user's own active token.

        Raises:
            InvalidDeviceTokenError: not theirs, or not known to Pushy.
            PushyError: Pushy refused, or was out of reach.
        """
        await self._require_own(app.app_id, user, token)
        await self._pushy.subscribe(app.app_id, token, topics)
        await self._sessions.follow(app.app_id, token, topics)

    async def unsubscribe(self, app: App, user: User, token: str, topics: Sequence[str]) -> None:
        """Unsubscribe the user's own active token, from all topics when none is named."""
        wanted = list(topics) or [ALL_TOPICS]
        await self._require_own(app.app_id, user, token)
        await self._pushy.unsubscribe(app.app_id, token, wanted)
        await self._sessions.unfollow(app.app_id, token, wanted)

    async def subscribers(self, app: App, caller: User | Service, topic: str) -> list[str]:
        """A topic's tokens: all for a service or an admin of the app, else the caller's own."""
        tokens = await self._pushy.subscribers(app.app_id, topic)
        if isinstance(caller, Service) or sees_all(caller, app):
            return tokens
        own = await self._sessions.owned(app.app_id, caller.user_id, tokens)
        return [token for token in tokens if token in own]

    async def _require_own(self, app_id: UUID, user: User, token: str) -> None:
        if not await self._sessions.owned(app_id, user.user_id, [token]):
            raise InvalidDeviceTokenError


def sees_all(user: User, app: App) -> bool:
    """Whether a user administers the app."""
    return isinstance(user, Admin) and user.administers(app.app_id, app.tenant_id)
