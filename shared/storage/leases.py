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
        try:
            await self._leases.update_one(
                {"_id": role} | free, [{"$set": {"owner": owner, "until": until}}], upsert=True
            )
        except DuplicateKeyError:
            return False
        return True

    async def release(self, role: str, owner: str) -> None:
        await self._leases.delete_one({"_id": role, "owner": owner})
