"""How providers take each credential, for those who look at it: gathered, written now and then."""

import asyncio
from uuid import UUID

from shared.clock import Clock
from shared.domain.credentials import CredentialNote
from shared.domain.devices import Provider
from shared.logs import get_logger
from shared.providers.outcomes import Misconfigured, Outcome, Sent
from shared.storage.credentials import CredentialRepository
from shared.storage.due import DueRepository
from shared.storage.mongo import StorageUnavailable

WRITE_SECONDS = 5.0

log = get_logger(__name__)


class CredentialNotes:
    """Keeps the latest success and the latest error of each credential until they are written."""

    def __init__(self, credentials: CredentialRepository, due: DueRepository, clock: Clock) -> None:
        self._credentials, self._due, self._clock = credentials, due, clock
        self._latest: dict[tuple[str, bool], CredentialNote] = {}
        self._recovered: set[tuple[UUID, Provider]] = set()

    def note(self, app_id: UUID, provider: Provider, fingerprint: str, outcome: Outcome) -> None:
        """Remember what an outcome says of the credential, if anything."""
        match outcome:
            case Sent():
                error = None
            case Misconfigured(reason):
                error = reason
            case _:
                return
        self._latest[fingerprint, error is None] = CredentialNote(
            app_id=app_id, provider=provider, fingerprint=fingerprint, at=self._clock(), error=error
        )

    def recovered(self, app_id: UUID, provider: Provider) -> None:
        """A credential that was refused works again: nothing need wait for another one."""
        self._recovered.add((app_id, provider))

    async def keep_writing(self) -> None:
        """Write what is new until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what is new; a note that cannot be written is not worth waiting for."""
        notes = list(self._latest.values())
        self._latest.clear()
        try:
            if notes:
                await self._credentials.note(notes)
            for lane in list(self._recovered):
                await self._due.wake_all(*lane)
                self._recovered.discard(lane)
        except StorageUnavailable as error:
            log.debug("credentials.not_noted", count=len(notes), error=str(error))
