"""Deletions: an app that goes turns into a tombstone at once; its rows follow page by page.

The tombstone stands in `apps` under the app's id. So one write makes the app disappear for every
reader, keeps the id from being founded again while rows of the old app are left, and is the work
list of whoever purges: there is no second document that a crash could leave behind or ahead.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from shared.storage.mongo import Database, Document
from shared.storage.send_documents import part_keys


class Deletion(msgspec.Struct, frozen=True):
    """An app that was deleted and of which rows may be left."""

    app_id: UUID
    tenant_id: str | None
    deleted_at: datetime


class DeletionRepository:
    """From `begin` to `finish`, the app does not exist for anybody else."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._apps = database["apps"]

    async def begin(self, app_id: UUID, now: datetime) -> bool:
        """Put the tombstone in the place of the app and its secrets; False when there is no app."""
        stone = {"_id": "$_id", "tenant_id": "$tenant_id", "deleted_at": {"$literal": now}}
        live = {"_id": app_id, "deleted_at": None}
        return await self._apps.update_one(live, [{"$replaceWith": stone}]) == 1

    async def get(self, app_id: UUID) -> Deletion | None:
        document = await self._apps.find_one({"_id": app_id, "deleted_at": {"$ne": None}})
        return None if document is None else _deletion(document)

    async def pending(self, *, limit: int) -> list[Deletion]:
        """Deletions that are not finished, oldest first."""
        documents = await self._apps.find(
            {"deleted_at": {"$exists": True}}, sort=[("deleted_at", 1)], limit=limit
        )
        return [_deletion(document) for document in documents]

    async def drop_credentials(self, app_id: UUID) -> None:
        await self._database["credentials"].delete_many(_prefixed(app_id))

    async def purge(self, app_id: UUID, *, limit: int) -> int:
        """Delete up to `limit` rows of a deleted app; 0 when none are left.

        An app that is not, or no longer, being deleted keeps its rows.
        """
        if await self.get(app_id) is None:
            return 0
        for name, query_of in _OWNED.items():
            rows = await self._database[name].find(
                query_of(app_id), projection={"_id": 1, "parts": 1}, limit=limit
            )
            if rows:
                await self._delete(name, rows)
                return len(rows)
        return 0

    async def _delete(self, name: str, rows: list[Document]) -> None:
        await self._database[name].delete_many(_ids(row["_id"] for row in rows))
        parts = [key for row in rows if row.get("parts") for key in part_keys(row)]
        if parts:
            await self._database["contents"].delete_many(_ids(parts))

    async def finish(self, deletion: Deletion) -> bool:
        """Take the tombstone away: the id may be founded again."""
        return await self._apps.delete_one(
            {"_id": deletion.app_id, "deleted_at": deletion.deleted_at}
        )


def _deletion(document: Document) -> Deletion:
    return Deletion(document["_id"], document["tenant_id"], document["deleted_at"])


def _ids(ids: Iterable[object]) -> Document:
    return {"_id": {"$in": list(ids)}}


def _by_app(app_id: UUID) -> Document:
    return {"app_id": app_id}


def _prefixed(app_id: UUID) -> Document:
    """Ids of the form `<app>:<anything>`; `;` is the character behind `:`."""
    return {"_id": {"$gte": f"{app_id}:", "$lt": f"{app_id};"}}


# Every collection that holds rows of an app, each with a query that an index answers. Chunks are
# not among them: without their send they end as cancelled, and age out.
_OWNED: dict[str, Callable[[UUID], Document]] = {
    "credentials": _prefixed,
    "sends": _by_app,
    "devices": _by_app,
    "sessions": _by_app,
    "holds": _prefixed,
    "enrolments": _by_app,
    "receipts": _by_app,
    "receipt_attempts": _by_app,
    "receipt_heads": lambda app_id: {"_id": app_id},
    "dead_letters": _by_app,
    "dev_sends": _by_app,
    "idempotency": _prefixed,
    "quotas": _prefixed,
    "limits": lambda app_id: {"_id": {"$gte": f"register:{app_id}:", "$lt": f"register:{app_id};"}},
}
