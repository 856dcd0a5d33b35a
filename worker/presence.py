"""Presence sweeps: Pushy does not tell of an uninstalled app when it takes a push, only when asked.

One process of all sweeps, once per interval: the lease that it takes lasts that long and is not
given back.
"""

import asyncio
from uuid import UUID, uuid4

from shared.clock import Clock
from shared.crypto.keyring import CannotOpen
from shared.domain.credentials import PushyCredential
from shared.logs import get_logger
from shared.providers.pushy_api import PRESENCE_TOKENS_MAX, PushyApi, PushyFault
from shared.storage.credentials import CredentialRepository
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.sessions import SessionRepository

LOOK_SECONDS = 5.0

log = get_logger(__name__)


class PresenceSweep:
    """Asks about every active Pushy device and deactivates those that are gone."""

    def __init__(
        self,
        leases: LeaseRepository,
        credentials: CredentialRepository,
        sessions: SessionRepository,
        *,
        pushy: PushyApi,
        clock: Clock,
        every_seconds: int,
    ) -> None:
        self._leases, self._credentials, self._sessions = leases, credentials, sessions
        self._pushy, self._clock = pushy, clock
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Sweep when it is time, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                owner = uuid4().hex  # another one each time: a lease of ours keeps us away too
                if await self._leases.acquire("presence", owner, seconds=self._every_seconds):
                    await self.sweep()
            except StorageUnavailable as error:  # the next sweep asks again
                log.warning("presence.interrupted", error=str(error))
            except Exception:  # a sweep must not end the worker
                log.exception("presence.failed")

    async def sweep(self) -> None:
        """Go through all apps that use Pushy."""
        for app_id in await self._credentials.apps_with("pushy"):
            try:
                await self._sweep_app(app_id)
            except CannotOpen as error:  # no reason to leave the other apps out
                log.warning("presence.unreadable", app_id=app_id, error=str(error))

    async def _sweep_app(self, app_id: UUID) -> None:
        credential = await self._credentials.get(app_id, "pushy")
        if not isinstance(credential, PushyCredential):
            return
        after, asked, gone = None, 0, 0
        while devices := await self._sessions.page(app_id, after=after, limit=PRESENCE_TOKENS_MAX):
            found = await self._deactivate_gone(
                app_id, credential.api_key, [device.token for device in devices if device.token]
            )
            if found is None:
                return
            after = devices[-1].device_id
            asked, gone = asked + len(devices), gone + found
        log.info("presence.swept", app_id=app_id, devices=asked, deactivated=gone)

    async def _deactivate_gone(self, app_id: UUID, api_key: str, tokens: list[str]) -> int | None:
        """How many were deactivated; None when Pushy does not answer for this app now."""
        if not tokens:
            return 0
        asked_at = self._clock()
        answer = await self._pushy.presence(api_key, tokens)
        if isinstance(answer, PushyFault):
            log.warning("presence.refused", app_id=app_id, code=answer.code, status=answer.status)
            return None
        gone = {
            "pushy:uninstalled": [p.id for p in answer if p.uninstalled],
            "pushy:unsubscribed": [p.id for p in answer if p.unsubscribed and not p.uninstalled],
        }
        return sum(
            [
                await self._sessions.deactivate(
                    app_id, found, registered_before=asked_at, reason=reason
                )
                for reason, found in gone.items()
            ]
        )
