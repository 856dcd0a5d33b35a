"""Holds on deactivating devices, shared by all workers: judged in memory, swapped in by version."""

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.domain.devices import Provider
from shared.domain.holds import Judgement, Results, Standing, judge, released
from shared.storage.mongo import Database, Document

Lane = tuple[UUID, Provider]


class Judged(msgspec.Struct, frozen=True):
    """A judgement that is on record, and the standing that it changed."""

    before: Standing
    judgement: Judgement


class HoldRepository:
    """One document per app and provider that ever had a dead token, under `<app>:<provider>`."""

    def __init__(self, database: Database) -> None:
        self._holds = database["holds"]

    async def judge(self, lane: Lane, results: Results, now: datetime) -> Judged:
        """Take results into account; of those that race, each sees the one before it.

        Safe to repeat: a device counts once, and few pushes are taken in the midst of a wave.
        """
        at = now.replace(microsecond=now.microsecond // 1_000 * 1_000)  # as it will be read again
        return await self._changed(lane, lambda standing: judge(standing, results, at), at)

    async def release(self, lane: Lane, *, until: datetime, now: datetime) -> Standing:
        """End a hold, and hold nothing before `until`; the standing as it was."""
        judged = await self._changed(lane, lambda old: Judgement(released(old, until)), now)
        return judged.before

    async def get(self, lane: Lane) -> Standing:
        document = await self._holds.find_one({"_id": _id(lane)})
        return Standing() if document is None else _from(document)

    async def known(self, lanes: Collection[Lane]) -> set[Lane]:
        """Those of the lanes that have a standing."""
        by_id = {_id(lane): lane for lane in lanes}
        found = await self._holds.find({"_id": {"$in": list(by_id)}}, projection={"_id": 1})
        return {by_id[document["_id"]] for document in found}

    async def _changed(
        self, lane: Lane, change: Callable[[Standing], Judgement], now: datetime
    ) -> Judged:
        while True:  # somebody gets through in every round
            document = await self._holds.find_one({"_id": _id(lane)})
            before = Standing() if document is None else _from(document)
            judgement = change(before)
            if await self._swap(lane, document, judgement.standing, now):
                return Judged(before, judgement)

    async def _swap(
        self, lane: Lane, document: Document | None, standing: Standing, now: datetime
    ) -> bool:
        fields = _fields(standing) | {"updated_at": now}
        if document is None:
            owner = {"_id": _id(lane), "app_id": lane[0], "provider": lane[1], "version": 1}
            try:
                await self._holds.insert_one(owner | fields)
            except DuplicateKeyError:
                return False
            return True
        unchanged = {"_id": _id(lane), "version": document["version"]}
        change = {"$set": fields, "$inc": {"version": 1}}
        return await self._holds.update_one(unchanged, change) == 1


def _id(lane: Lane) -> str:
    return f"{lane[0]}:{lane[1]}"


def _fields(standing: Standing) -> Document:
    fields: Document = msgspec.to_builtins(standing, builtin_types=(datetime, UUID))
    return fields


def _from(document: Document) -> Standing:
    """What an earlier version has counted is in other fields, and counts no more."""
    fields = {n: document[n] for n in Standing.__struct_fields__ if n in document}
    return msgspec.convert(fields, Standing)
