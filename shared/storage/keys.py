"""Keys that the service makes for itself and all its processes share, sealed at rest."""

from collections.abc import Callable

from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.crypto.keyring import Keyring
from shared.storage.mongo import Database


class KeyRepository:
    """One document per named key."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._keys = database["keys"]
        self._keyring = keyring
        self._clock = clock

    async def get_or_create(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The key of that name; the first caller of all processes makes it."""
        context = f"keys|{name}"
        document = await self._keys.find_one({"_id": name})
        if document is None:
            document = {"_id": name, "sealed": self._keyring.seal(make(), context)}
            try:
                await self._keys.insert_one(document | {"created_at": self._clock()})
            except DuplicateKeyError:
                document = await self._keys.find_one({"_id": name})
        return self._keyring.open(document["sealed"], context)
