"""Sends under an idempotency key: one effect and the same answer, however often they are asked for.

Only what was accepted is kept: a refusal is forgotten, so that the caller may mend it and try again
under the same key. A key is an app's own, for 24 hours.
"""

from uuid import UUID

import msgspec

from api.errors import KeyInUseError, KeyReusedError, ServiceError
from api.services.accept import Accepted, Acceptor, Refusal
from api.services.planning import Request
from shared.domain.apps import App
from shared.logs import get_logger
from shared.storage.idempotency import Entry, IdempotencyRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.sends import SendRepository

_log = get_logger("api.sending")


class Key(msgspec.Struct, frozen=True):
    """An idempotency key and the request that it is for, both hashed."""

    key_hash: str
    body_hash: bytes


class Sender:
    """Accepts a request, or says what the same request was answered before."""

    def __init__(
        self, acceptor: Acceptor, entries: IdempotencyRepository, sends: SendRepository
    ) -> None:
        self._acceptor = acceptor
        self._entries = entries
        self._sends = sends

    async def send(self, app: App, request: Request, key: Key | None) -> Accepted | Refusal:
        """Accept a request, once per key.

        Raises:
            KeyInUseError: the first request with this key is being worked on.
            KeyReusedError: the key was used for another request.
            QuotaExceededError, UnavailableError, StorageUnavailable: as Acceptor.accept.
        """
        if key is None:
            return await self._acceptor.accept(app, request)
        entry = await self._entries.begin(app.app_id, key.key_hash, key.body_hash)
        if not entry.is_ours:
            before = await self._before(app.app_id, key, entry)
            if before is not None:
                return Accepted(before, is_replayed=True)
        return await self._send(app, request, key, entry)

    async def _before(self, app_id: UUID, key: Key, entry: Entry) -> UUID | None:
        """The send that came of the key; None when it is now ours to go on with."""
        if entry.body_hash != key.body_hash:
            raise KeyReusedError
        if entry.send_id is not None:
            return entry.send_id
        if entry.is_worked_on:
            raise KeyInUseError
        recorded = await self._sends.of_claim(entry.claim)
        if recorded is None and not await self._entries.take_over(app_id, key.key_hash, entry):
            raise KeyInUseError
        return recorded

    async def _send(self, app: App, request: Request, key: Key, entry: Entry) -> Accepted | Refusal:
        try:
            answer = await self._acceptor.accept(app, request, claim=entry.claim)
        except ServiceError:  # anything else: whoever asks again finds out by the claim
            await self._entries.give_up(app.app_id, key.key_hash, entry)
            raise
        if isinstance(answer, Accepted):
            await self._note(app.app_id, key, entry, answer.send_id)
        else:
            await self._entries.give_up(app.app_id, key.key_hash, entry)
        return answer

    async def _note(self, app_id: UUID, key: Key, entry: Entry, send_id: UUID) -> None:
        try:
            await self._entries.finish(app_id, key.key_hash, entry, send_id)
        except StorageUnavailable:  # it is accepted all the same, and can be found by its claim
            _log.warning("idempotency.not_noted", app_id=str(app_id), send_id=str(send_id))
