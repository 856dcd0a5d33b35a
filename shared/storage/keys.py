"""Keys that the service makes for itself and all its processes share, sealed at rest."""

from collections.abc import Callable

from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.crypto.keyring import CannotOpen, Keyring
from shared.storage.mongo import Database


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
