"""Leases of roles that one process at a time may play, by the database's clock."""

from pymongo.errors import DuplicateKeyError

from shared.storage.mongo import Database


class LeaseRepository:
    """One document per role."""

    def __init__(self, database: Database) -> None:
        self._leases = database["leases"]

    async def acquire(self, role: str, owner: str, *, seconds: int) -> bool:
        """Take or renew a role; False while another owner has it."""
        free = {"$or": [{"owner": owner}, {"$expr": {"$lt": ["$until", "$$NOW"]}}]}
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
        change = [{"$set": {"owner": owner, "until": until}}]
        if await self._leases.update_one({"_id": role} | free, change):
            return True
        try:  # `$expr` cannot be in an upsert, so a role that is new is inserted as a free one
            await self._leases.insert_one({"_id": role, "owner": None, "until": None})
        except DuplicateKeyError:
            return False
        return await self._leases.update_one({"_id": role} | free, change) == 1

    async def release(self, role: str, owner: str) -> None:
        await self._leases.delete_one({"_id": role, "owner": owner})
