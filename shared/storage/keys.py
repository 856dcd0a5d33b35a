"""Keys that the service makes for itself and all its processes share, sealed at rest."""

from collections.abc import Callable
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.crypto.keyring import CannotOpen, Keyring
from shared.storage.mongo import Database, Document


class WrongKeyRing(Exception):
    """The settings' encryption keys do not open what this database holds."""


class KeyRepository:
    """One document per named key."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._keys = database["keys"]
        self._keyring = keyring
        self._clock = clock

    async def check_ring(self) -> None:
        """Make sure of the key ring before anything depends on it.

        Raises:
            WrongKeyRing: with this ring every secret in the database would be unreadable.
        """
        try:
            await self.get_or_create("canary", lambda: b"canary")
        except CannotOpen as error:
            raise WrongKeyRing(f"FANFARE_ENCRYPTION_KEYS: {error}") from None

    async def get_or_create(
        self, name: str, make: Callable[[], bytes], *, expires_at: datetime | None = None
    ) -> bytes:
        """The key of that name; the first caller of all processes makes it."""
        found = await self.find(name)
        if found is not None:
            return found
        document: Document = {
            "_id": name,
            "sealed": self._keyring.seal(make(), _context(name)),
            "created_at": self._clock(),
        }
        if expires_at is not None:
            document["expires_at"] = expires_at
        try:
            await self._keys.insert_one(document)
        except DuplicateKeyError:
            document = await self._keys.find_one({"_id": name})
        return self._keyring.open(document["sealed"], _context(name))

    async def find(self, name: str) -> bytes | None:
        """The key of that name, if it was ever made and has not expired."""
        document = await self._keys.find_one({"_id": name})
        return None if document is None else self._keyring.open(document["sealed"], _context(name))


def _context(name: str) -> str:
    return f"keys|{name}"
