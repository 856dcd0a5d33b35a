"""Sends: one document per accepted request; its insertion is the moment of acceptance."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from shared.domain.deliveries import Chunk
from shared.domain.sends import Outline, Send
from shared.storage.chunks import to_document
from shared.storage.mongo import Database, Document
from shared.storage.send_documents import (
    outline_of,
    part_key,
    part_keys,
    send_of,
    to_documents,
)

_OUTLINE: Document = {"contents": 0}


class SendRepository:
    """Parts and chunks go first and the send last, so a send that exists is whole."""

    def __init__(self, database: Database) -> None:
        self._sends = database["sends"]
        self._chunks = database["chunks"]
        self._parts = database["contents"]

    async def insert(self, send: Send, chunks: list[Chunk], *, claim: UUID | None = None) -> bool:
        """Record an accepted request, majority-committed when this returns.

        Args:
            send: the request.
            chunks: its deliveries.
            claim: at most one send is recorded under the same claim.

        Returns:
            False when another send has the claim; then nothing was accepted.

        Raises:
            StorageUnavailable: it may or may not have been recorded.
        """
        document, parts = to_documents(send)
        if claim is not None:
            document["claim"] = claim
        if parts:
            await self._parts.insert_many(parts)
        if chunks:
            await self._chunks.insert_many([to_document(c) for c in chunks])
        try:
            await self._sends.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def get(self, app_id: UUID, send_id: UUID) -> Send | None:
        document = await self._sends.find_one({"_id": send_id, "app_id": app_id})
        return None if document is None else (await self._whole([document])).get(send_id)

    async def outline(self, app_id: UUID, send_id: UUID) -> Outline | None:
        """A send without its contents."""
        document = await self._sends.find_one({"_id": send_id, "app_id": app_id}, _OUTLINE)
        return None if document is None else outline_of(document)

    async def app_of(self, send_id: UUID) -> UUID | None:
        """The app of a send, whosever it is."""
        document = await self._sends.find_one({"_id": send_id}, {"app_id": 1})
        return None if document is None else document["app_id"]

    async def of_claim(self, claim: UUID) -> UUID | None:
        """The send that was recorded under a claim."""
        document = await self._sends.find_one({"claim": claim}, {"_id": 1})
        return None if document is None else document["_id"]

    async def of_ids(self, send_ids: Collection[UUID]) -> dict[UUID, Send]:
        return await self._whole(await self._sends.find({"_id": {"$in": list(send_ids)}}))

    async def page(
        self, app_id: UUID, *, user_id: UUID | None, up_to: UUID | None, limit: int
    ) -> list[Outline]:
        """An app's newest sends, those with `up_to` or older; of one user when one is given."""
        query: Document = {"app_id": app_id}
        if user_id is not None:
            query["users"] = user_id
        if up_to is not None:
            query["_id"] = {"$lte": up_to}
        documents = await self._sends.find(
            query, projection=_OUTLINE, sort=[("_id", -1)], limit=limit
        )
        return [outline_of(document) for document in documents]

    async def cancel(
        self, app_id: UUID, send_id: UUID, index: int, now: datetime
    ) -> Outline | None:
        """Call a notification off; the send as it is then.

        A worker is to look at its chunks again: what was ended has receipts to be told.
        """
        document = await self._sends.find_one_and_update(
            {"_id": send_id, "app_id": app_id},
            {"$addToSet": {"cancelled": index}, "$set": {"look_again_at": now}},
        )
        return None if document is None else outline_of(document)

    async def to_look_at(self, *, asked_before: datetime, limit: int) -> dict[UUID, datetime]:
        """Sends whose chunks a worker is to look at again, and since when, the oldest first."""
        documents = await self._sends.find(
            {"look_again_at": {"$lt": asked_before}},
            projection={"look_again_at": 1},
            sort=[("look_again_at", 1)],
            limit=limit,
        )
        return {document["_id"]: document["look_again_at"] for document in documents}

    async def looked_at(self, asked: dict[UUID, datetime]) -> None:
        """Note that pointers were published, unless it was asked for again since."""
        await self._sends.bulk_write(
            [
                UpdateOne(
                    {"_id": send_id, "look_again_at": since}, {"$unset": {"look_again_at": ""}}
                )
                for send_id, since in asked.items()
            ]
        )

    async def flag_published(self, send_ids: Collection[UUID]) -> None:
        """Note that the queue has confirmed all pointers of these sends."""
        await self._sends.update_many(
            {"_id": {"$in": list(send_ids)}}, {"$set": {"published": True}}
        )

    async def unpublished(self, *, accepted_before: datetime, skip: int, limit: int) -> list[UUID]:
        """The oldest sends whose pointers were never confirmed, but for the first `skip`."""
        documents = await self._sends.find(
            {"published": False, "created_at": {"$lt": accepted_before}},
            projection={"_id": 1},
            sort=[("created_at", 1)],
            skip=skip,
            limit=limit,
        )
        return [document["_id"] for document in documents]

    async def count_unpublished(self) -> int:
        """Deliveries that are recorded and not confirmed by the queue; reads the index only."""
        rows = await self._sends.aggregate(
            [
                {"$match": {"published": False}},
                {"$group": {"_id": None, "count": {"$sum": "$delivery_count"}}},
            ]
        )
        return int(rows[0]["count"]) if rows else 0

    async def _whole(self, documents: list[Document]) -> dict[UUID, Send]:
        """Sends with their contents, wherever these stand; not those that are being deleted."""
        keys = [key for document in documents for key in part_keys(document)]
        parts = await self._parts.find({"_id": {"$in": keys}}) if keys else []
        texts = {part_key(part["_id"]): part["contents"] for part in parts}
        return {
            document["_id"]: send_of(
                document,
                document["contents"]
                or [text for key in part_keys(document) for text in texts[part_key(key)]],
            )
            for document in documents
            if all(part_key(key) in texts for key in part_keys(document))
        }
