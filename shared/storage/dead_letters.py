"""Dead letters: deliveries that ended without the provider's or device's fault, for operators."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from pymongo import UpdateOne

from shared.domain.devices import Provider
from shared.storage.mongo import Database, Document

NEWEST_FIRST = [("died_at", -1), ("_id", -1)]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead delivery; for a message that cannot be read only `reason` and `raw` are known."""

    dead_letter_id: UUID
    reason: str
    died_at: datetime
    app_id: UUID | None = None
    notification_id: UUID | None = None
    device_id: UUID | None = None
    provider: Provider | None = None
    chunk_id: UUID | None = None
    index: int | None = None
    attempts: int = 0
    raw: bytes | None = None


class DeadLetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters: those that fit everything given; of no app in particular without one.

    `ids`: these only. They died at `since` or later, and before `until`.
    """

    app_id: UUID | None = None
    ids: tuple[UUID, ...] | None = None
    provider: Provider | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Closing(msgspec.Struct, frozen=True):
    """How dead letters are dealt with, when and by whom."""

    closed_at: datetime
    closed_as: Literal["discarded"]
    closed_by: str


class DeadLetterRepository:
    """Keyed by the delivery's receipt id, so a dead letter that is drained twice stands once.

    Those that were dealt with stay, closed, for as long as others are kept: a settlement that is
    repeated after a crash would put them again.
    """

    def __init__(self, database: Database) -> None:
        self._letters = database["dead_letters"]

    async def put(self, letters: list[DeadLetter]) -> None:
        """Record dead letters that are not recorded yet."""
        if not letters:
            return
        operations = []
        for letter in letters:
            fields = msgspec.structs.asdict(letter)
            key = {"_id": fields.pop("dead_letter_id")}
            operations.append(UpdateOne(key, {"$setOnInsert": fields}, upsert=True))
        await self._letters.bulk_write(operations)

    async def of_app(self, app_id: UUID, *, limit: int = 100) -> list[DeadLetter]:
        """The newest dead letters of an app."""
        return await self.page(DeadLetterFilter(app_id=app_id), after=None, limit=limit)

    async def page(
        self, chosen: DeadLetterFilter, *, after: UUID | None, limit: int
    ) -> list[DeadLetter]:
        """Open dead letters behind `after`, newest first, without what cannot be read of them.

        Behind one that is not there is nothing: the oldest go first.
        """
        query = _open(chosen)
        if after is not None:
            last = await self._letters.find_one(_of_app(chosen) | {"_id": after}, {"died_at": 1})
            if last is None:
                return []
            query = {"$and": [query, *_behind(after, last["died_at"])]}
        documents = await self._letters.find(
            query, projection={"raw": 0}, sort=NEWEST_FIRST, limit=limit
        )
        return [_from_document(document) for document in documents]

    async def get(self, dead_letter_id: UUID, *, also_closed: bool = False) -> DeadLetter | None:
        """A dead letter, whosever it is."""
        query: Document = {"_id": dead_letter_id}
        document = await self._letters.find_one(
            query if also_closed else query | {"closed_at": None}
        )
        return None if document is None else _from_document(document)

    async def newest(self, chosen: DeadLetterFilter, *, limit: int) -> list[UUID]:
        """The newest of open dead letters."""
        documents = await self._letters.find(
            _open(chosen), projection={"_id": 1}, sort=NEWEST_FIRST, limit=limit
        )
        return [document["_id"] for document in documents]

    async def close(self, dead_letter_ids: Collection[UUID], closing: Closing) -> int:
        """Note that these were dealt with, and forget what could not be read; how many were open.

        Whoever else closes them at the same time counts others.
        """
        return await self._letters.update_many(
            {"_id": {"$in": list(dead_letter_ids)}, "closed_at": None},
            {"$set": msgspec.structs.asdict(closing), "$unset": {"raw": ""}},
        )


def _of_app(chosen: DeadLetterFilter) -> Document:
    return {} if chosen.app_id is None else {"app_id": chosen.app_id}


def _open(chosen: DeadLetterFilter) -> Document:
    query = _of_app(chosen) | {"closed_at": None}
    if chosen.ids is not None:
        query["_id"] = {"$in": list(chosen.ids)}
    if chosen.provider is not None:
        query["provider"] = chosen.provider
    if chosen.reason is not None:
        query["reason"] = chosen.reason
    bounds = {"$gte": chosen.since, "$lt": chosen.until}
    given = {operator: at for operator, at in bounds.items() if at is not None}
    return query | ({"died_at": given} if given else {})


def _behind(dead_letter_id: UUID, died_at: datetime) -> list[Document]:
    """The first condition is what an index can begin at."""
    same = {"died_at": died_at, "_id": {"$lt": dead_letter_id}}
    return [{"died_at": {"$lte": died_at}}, {"$or": [{"died_at": {"$lt": died_at}}, same]}]


def _from_document(document: Document) -> DeadLetter:
    fields = {name: document[name] for name in DeadLetter.__struct_fields__ if name in document}
    return DeadLetter(dead_letter_id=document["_id"], **fields)
