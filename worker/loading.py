"""What a chunk needs before it can be attempted, read for many chunks at once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.batcher import Batcher
from shared.clock import Clock
from shared.domain.apps import App
from shared.domain.credentials import Credential
from shared.domain.deliveries import Chunk
from shared.domain.devices import Device, Provider
from shared.domain.sends import Send
from shared.logs import get_logger
from shared.storage.apps import AppRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.devices import DeviceRepository
from shared.storage.sends import SendRepository
from worker.patience import stored

log = get_logger(__name__)

_FRESH = timedelta(seconds=2)  # changes to an app reach every worker within 5 s
_STALE = timedelta(seconds=4)


class Sender(msgspec.Struct, frozen=True):
    """An app with its credential for one provider, as they were a moment ago."""

    app: App | None
    credential: Credential | None
    read_at: datetime


class Loaded(msgspec.Struct, frozen=True):
    """A chunk with all that its deliveries need."""

    chunk: Chunk
    send: Send | None
    devices: dict[UUID, Device]
    sender: Sender


class View:
    """A chunk's surroundings, read again once they are older than what a push may rest on."""

    def __init__(self, loader: "Loader", loaded: Loaded, clock: Clock) -> None:
        self.loaded = loaded
        self._loader, self._clock = loader, clock
        self._reading = asyncio.Lock()

    async def of_now(self) -> Loaded:
        """For a delivery that waited for a slot: app, credential, device may have changed."""
        async with self._reading:
            if self._clock() - self.loaded.sender.read_at >= _STALE:
                self.loaded = await self._loader.load(self.loaded.chunk)
        return self.loaded


class Loader:
    """Three finds for a whole group of chunks; apps and credentials are kept for two seconds."""

    def __init__(
        self,
        sends: SendRepository,
        devices: DeviceRepository,
        apps: AppRepository,
        credentials: CredentialRepository,
        clock: Clock,
    ) -> None:
        self._sends, self._devices = sends, devices
        self._apps, self._credentials = apps, credentials
        self._clock = clock
        self._senders: dict[tuple[UUID, Provider], Sender] = {}
        self._loading: Batcher[Chunk, Loaded] = Batcher(self._load, max_batch=64, in_flight=2)

    async def load(self, chunk: Chunk) -> Loaded:
        return await self._loading.submit(chunk)

    async def load_what_there_is(self, chunk: Chunk) -> Loaded:
        """For giving up on a chunk: what cannot be read is left out."""
        try:
            return await self.load(chunk)
        except Exception:  # the chunk is being buried for exactly such a reason
            log.exception("chunk.unreadable", chunk_id=chunk.chunk_id)
            return Loaded(chunk, None, {}, Sender(None, None, self._clock()))

    async def _load(self, chunks: Sequence[Chunk]) -> Sequence[Loaded | Exception]:
        """All at once; if one of them cannot be read, each by itself: its neighbours can."""
        try:
            return await stored(lambda: self._read(chunks))
        except Exception:  # the guilty one gets it again below
            log.exception("chunks.unreadable", count=len(chunks))
            return await asyncio.gather(*(self._load_one(chunk) for chunk in chunks))

    async def _load_one(self, chunk: Chunk) -> Loaded | Exception:
        try:
            return (await stored(lambda: self._read([chunk])))[0]
        except Exception as error:  # noqa: BLE001 it is this chunk's verdict
            return error

    async def _read(self, chunks: Sequence[Chunk]) -> list[Loaded]:
        sends, devices, senders = await asyncio.gather(
            self._sends.of_ids({chunk.send_id for chunk in chunks}),
            self._devices.of_ids({t.device_id for chunk in chunks for t in chunk.targets}),
            self._senders_of({(chunk.app_id, chunk.provider) for chunk in chunks}),
        )
        return [
            Loaded(chunk, sends.get(chunk.send_id), devices, senders[chunk.app_id, chunk.provider])
            for chunk in chunks
        ]

    async def _senders_of(
        self, keys: set[tuple[UUID, Provider]]
    ) -> dict[tuple[UUID, Provider], Sender]:
        now = self._clock()
        self._senders = {k: s for k, s in self._senders.items() if now - s.read_at < _FRESH}
        found = {key: self._senders[key] for key in keys if key in self._senders}
        missing = [key for key in keys if key not in found]
        read = await asyncio.gather(*(self._read_sender(*key) for key in missing))
        found |= dict(zip(missing, read, strict=True))
        self._senders |= found
        return found

    async def _read_sender(self, app_id: UUID, provider: Provider) -> Sender:
        app, credential = await asyncio.gather(
            self._apps.get(app_id), self._credentials.get(app_id, provider)
        )
        return Sender(app, credential, self._clock())
