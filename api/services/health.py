"""What the API needs to do its work: MongoDB, its keys, and (not to accept) the broker."""

from typing import Any

from api.auth.issuer import BuiltInIssuer
from shared.queue.publisher import Publisher
from shared.storage.mongo import Database, StorageUnavailable


class HealthService:
    """Asks each part once per call."""

    def __init__(
        self, database: Database, publisher: Publisher, issuer: BuiltInIssuer | None
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._issuer = issuer

    async def report(self) -> dict[str, Any]:
        has_mongo = await self._has_mongo()
        has_keys = self._issuer is None or self._issuer.is_loaded
        return {
            "status": "ok" if has_mongo and has_keys else "unavailable",
            "mongo": has_mongo,
            "keys": has_keys,
            "broker": self._publisher.is_connected,
        }

    async def _has_mongo(self) -> bool:
        try:
            await self._database.ping()
        except StorageUnavailable:
            return False
        return True
