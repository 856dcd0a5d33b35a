"""Sends: one document per accepted request; its insertion is the moment of acceptance.

Contents are MessagePack: JSON would write a control character in six bytes, and the largest batch
that is allowed would not fit into one document.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared import ids
from shared.domain.deliveries import Chunk
from shared.domain.notifications import Content, Lane, Notification
from shared.storage.chunks import to_document
from shared.storage.mongo import Database, Document


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """One notification of a send: who gets which of its contents."""

    user_id: UUID
    content: int


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted request. Notification i of it is `recipients[i]`."""

    send_id: UUID
    app_id: UUID
    created_at: datetime
    contents: tuple[Content, ...]
    recipients: tuple[Recipient, ...]
    lane: Lane
    delivery_count: int
    published: bool = False

    def notification(self, index: int) -> Notification:
        """Notification `index`.

        Raises:
            IndexError: the send has fewer.
        """
        recipient = self.recipients[index]
        content = self.contents[recipient.content]
        return Notification(
            notification_id=ids.notification_id(self.send_id, index),
            app_id=self.app_id,
            user_id=recipient.user_id,
            content=content,
            accepted_at=self.created_at,
            expires_at=self.created_at + timedelta(seconds=content.ttl_seconds),
        )


class SendRepository:
    """Chunks go first and the send last, so a send that exists is whole."""

    def __init__(self, database: Database) -> None:
        self._sends = database["sends"]
        self._chunks = database["chunks"]

    async def insert(self, send: Send, chunks: list[Chunk]) -> None:
        """Record an accepted request, majority-committed when this returns.

        Raises:
            StorageUnavailable: it may or may not have been recorded.
        """
        if chunks:
            await self._chunks.insert_many([to_document(c) for c in chunks])
        await self._sends.insert_one(_to_document(send))

    async def get(self, app_id: UUID, send_id: UUID) -> Send | None:
        document = await self._sends.find_one({"_id": send_id, "app_id": app_id})
        return None if document is None else _from_document(document)

    async def of_ids(self, send_ids: Collection[UUID]) -> dict[UUID, Send]:
        documents = await self._sends.find({"_id": {"$in": list(send_ids)}})
        return {document["_id"]: _from_document(document) for document in documents}

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


def _to_document(send: Send) -> Document:
    return {
        "_id": send.send_id,
        "app_id": send.app_id,
        "created_at": send.created_at,
        "kept_from": send.created_at,
        "contents": [msgspec.msgpack.encode(content) for content in send.contents],
        "recipients": [[r.user_id, r.content] for r in send.recipients],
        "lane": send.lane,
        "delivery_count": send.delivery_count,
        "published": send.published,
    }


def _from_document(document: Document) -> Send:
    return Send(
        send_id=document["_id"],
        app_id=document["app_id"],
        created_at=document["created_at"],
        contents=tuple(msgspec.msgpack.decode(c, type=Content) for c in document["contents"]),
        recipients=tuple(Recipient(*pair) for pair in document["recipients"]),
        lane=document["lane"],
        delivery_count=document.get("delivery_count", 0),
        published=document["published"],
    )
