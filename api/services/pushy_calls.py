"""Pushy on an app's behalf: with its key, and faults as the errors that its callers get."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from api.services.pushy_errors import PushyKeyError, error_of
from shared.domain.credentials import PushyCredential
from shared.providers.pushy_api import PushReceipt, PushyApi, PushyFault
from shared.storage.credentials import CredentialRepository


class PushyCalls:
    """Makes its connections on first use: most API processes never need them.

    Each call raises a PushyError for what Pushy refuses, or when it cannot be reached.
    """

    def __init__(self, credentials: CredentialRepository, create: Callable[[], PushyApi]) -> None:
        self._credentials = credentials
        self._create = create
        self._api: PushyApi | None = None

    async def aclose(self) -> None:
        if self._api is not None:
            await self._api.aclose()

    async def subscribe(self, app_id: UUID, token: str, topics: Sequence[str]) -> None:
        key = await self._key(app_id)
        _raise(await self._pushy().subscribe(key, token, topics))

    async def unsubscribe(self, app_id: UUID, token: str, topics: Sequence[str]) -> None:
        key = await self._key(app_id)
        _raise(await self._pushy().unsubscribe(key, token, topics))

    async def subscribers(self, app_id: UUID, topic: str) -> list[str]:
        answer = await self._pushy().subscribers(await self._key(app_id), topic)
        if isinstance(answer, PushyFault):
            raise error_of(answer)
        return answer

    async def push(self, app_id: UUID, body: Mapping[str, Any]) -> PushReceipt:
        answer = await self._pushy().push(await self._key(app_id), body)
        if isinstance(answer, PushyFault):
            raise error_of(answer)
        return answer

    async def _key(self, app_id: UUID) -> str:
        credential = await self._credentials.get(app_id, "pushy")
        if not isinstance(credential, PushyCredential):
            raise PushyKeyError("NO_CREDENTIAL")
        return credential.api_key

    def _pushy(self) -> PushyApi:
        if self._api is None:
            self._api = self._create()
        return self._api


def _raise(fault: PushyFault | None) -> None:
    if fault is not None:
        raise error_of(fault)
