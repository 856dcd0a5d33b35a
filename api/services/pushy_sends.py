"""Direct pushes through Pushy: synchronous, to tokens that the caller names."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from api.auth.principals import Service, User
from api.errors import (
    InsufficientPermissionsError,
    NotificationNotFoundError,
    TooManyCallsError,
)
from api.services.pushy_calls import PushyCalls
from api.services.pushy_devices import sees_all
from api.services.pushy_errors import PayloadLimitError
from shared import ids
from shared.clock import Clock
from shared.domain.apps import App
from shared.logs import get_logger
from shared.storage.dev_sends import DevSend, DevSendRepository
from shared.storage.limits import LimitRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.sessions import SessionRepository

PAYLOAD_BYTES_MAX = 4_096
CALLS_MAX = 60
CALLS_WINDOW = timedelta(minutes=1)
DEVELOPER = "developer"  # the role that may send to any token, as admins may
_log = get_logger("api.pushy")


class DirectPush(msgspec.Struct, frozen=True, kw_only=True):
    """What to push, and to which tokens; `data` are the caller's own members, values as JSON."""

    title: str
    content: str
    to: tuple[str, ...]
    data: Mapping[str, msgspec.Raw]
    action: str | None = None

    def payload(self) -> dict[str, Any]:
        """Pushy's `data`: `action` is merged last."""
        fixed = {"title": self.title, "message": self.content}
        action = {} if self.action is None else {"action": self.action}
        return {**fixed, **self.data, **action}


class PushySendService:
    """Nothing is stored and nothing retried: the caller has the answer, or asks again."""

    def __init__(
        self,
        sessions: SessionRepository,
        sends: DevSendRepository,
        limits: LimitRepository,
        pushy: PushyCalls,
        clock: Clock,
    ) -> None:
        self._sessions, self._sends = sessions, sends
        self._limits, self._pushy = limits, pushy
        self._clock = clock

    async def send(self, app: App, caller: User | Service, push: DirectPush) -> UUID:
        """Push at once; the id under which operators find what came of it.

        Raises:
            InsufficientPermissionsError: a plain user named a token that is not their own.
            TooManyCallsError: a 61st within a minute.
            PayloadLimitError: more than 4,096 bytes.
            PushyError: Pushy refused, or was out of reach.
        """
        payload = msgspec.json.encode(push.payload())
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise PayloadLimitError
        await self._authorize(app, caller, push.to)
        await self._count(app.app_id, caller)
        sent_at = self._clock()
        body = {
            "to": list(dict.fromkeys(push.to)),
            "data": msgspec.Raw(payload),
            "notification": {"title": push.title, "body": push.content},
        }
        receipt = await self._pushy.push(app.app_id, body)
        send = DevSend(
            dev_send_id=ids.new_id(sent_at),
            app_id=app.app_id,
            push_id=receipt.push_id,
            device_count=receipt.device_count,
            failed=receipt.failed,
            created_at=sent_at,
        )
        await self._follow_up(send)
        return send.dev_send_id

    async def detail(self, app: App, dev_send_id: UUID | None) -> DevSend:
        """What came of a push.

        Raises:
            NotificationNotFoundError: absent, or another app's.
        """
        send = await self._sends.get(app.app_id, dev_send_id) if dev_send_id else None
        if send is None:
            raise NotificationNotFoundError
        return send

    async def _authorize(self, app: App, caller: User | Service, tokens: tuple[str, ...]) -> None:
        if isinstance(caller, Service) or DEVELOPER in caller.roles or sees_all(caller, app):
            return
        wanted = set(tokens)
        if await self._sessions.owned(app.app_id, caller.user_id, wanted) != wanted:
            raise InsufficientPermissionsError

    async def _count(self, app_id: UUID, caller: User | Service) -> None:
        who = "service" if isinstance(caller, Service) else str(caller.user_id)
        key = f"send-dev:{app_id}:{who}"
        window = await self._limits.try_call(key, most=CALLS_MAX, window=CALLS_WINDOW)
        if not window.is_taken:
            raise TooManyCallsError(
                most=CALLS_MAX,
                window_seconds=int(CALLS_WINDOW.total_seconds()),
                wait_seconds=math.ceil(window.frees_seconds),
            )

    async def _follow_up(self, send: DevSend) -> None:
        """It is sent: what cannot be written down about it does not make it unsent."""
        try:
            await self._sends.add(send)
            if send.failed:
                await self._sessions.deactivate(
                    send.app_id,
                    send.failed,
                    registered_before=send.created_at,
                    reason="pushy:info.failed",
                )
        except StorageUnavailable:
            _log.warning("direct_push.not_noted", dev_send_id=str(send.dev_send_id))
        _log.info(
            "direct_push.sent",
            dev_send_id=str(send.dev_send_id),
            app_id=str(send.app_id),
            devices=send.device_count,
            failed=len(send.failed),
        )
