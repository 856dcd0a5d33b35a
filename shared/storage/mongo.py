"""The one seam to the Mongo driver: connection, time limits, and what its errors mean.

Motor and PyMongo's own async client differ in a few calls only; those are bridged here, and
repositories use nothing else that differs (libraries: aggregate, sessions, close).
"""

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from typing import Any

import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import errors

from shared.settings import CommonSettings

Document = dict[str, Any]
_OPERATION_SECONDS = 4.0
_SELECTION_MS = 3_000
_CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, tzinfo=UTC, uuid_representation=UuidRepresentation.STANDARD
)


class StorageUnavailable(Exception):
    """MongoDB did not answer in time: a write may or may not have happened."""


class Collection:
    """A collection whose calls are bounded in time and raise StorageUnavailable, not driver errors.

    `DuplicateKeyError`, `BulkWriteError` and other verdicts of the server pass through.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    async def find_one(self, query: Document, projection: Document | None = None) -> Any:
        with translated():
            return await self._raw.find_one(query, projection)

    async def find(
        self,
        query: Document,
        *,
        projection: Document | None = None,
        sort: list[tuple[str, int]] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> list[Document]:
        """All documents that match, in few round trips: callers bound the query."""
        with translated():
            cursor = self._raw.find(
                query, projection, sort=sort, skip=skip, limit=limit, batch_size=10_000
            )
            found: list[Document] = await cursor.to_list(None)
            return found

    async def insert_one(self, document: Document) -> None:
        with translated():
            await self._raw.insert_one(document)

    async def insert_many(self, documents: list[Document]) -> None:
        with translated():
            await self._raw.insert_many(documents, ordered=False)

    async def update_one(self, query: Document, update: Any, *, upsert: bool = False) -> int:
        """How many documents matched (an upserted one counts)."""
        with translated():
            result = await self._raw.update_one(query, update, upsert=upsert)
            return int(result.matched_count) + (result.upserted_id is not None)

    async def update_many(self, query: Document, update: Any) -> int:
        with translated():
            return int((await self._raw.update_many(query, update)).matched_count)

    async def find_one_and_update(
        self, query: Document, update: Any, *, upsert: bool = False, return_new: bool = True
    ) -> Any:
        with translated():
            return await self._raw.find_one_and_update(
                query, update, upsert=upsert, return_document=return_new
            )

    async def delete_one(self, query: Document) -> bool:
        with translated():
            return bool((await self._raw.delete_one(query)).deleted_count)

    async def delete_many(self, query: Document) -> int:
        with translated():
            return int((await self._raw.delete_many(query)).deleted_count)

    async def bulk_write(self, operations: list[Any]) -> int:
        """Unordered; how many documents matched."""
        with translated():
            result = await self._raw.bulk_write(operations, ordered=False)
            return int(result.matched_count) + int(result.upserted_count)

    async def count(self, query: Document) -> int:
        with translated():
            return int(await self._raw.count_documents(query))

    async def aggregate(self, pipeline: list[Document]) -> list[Document]:
        with translated():
            cursor = self._raw.aggregate(pipeline)  # a coroutine in PyMongo, not in Motor
            if inspect.isawaitable(cursor):
                cursor = await cursor
            found: list[Document] = await cursor.to_list(None)
            return found

    async def create_indexes(self, indexes: list[pymongo.IndexModel]) -> None:
        with translated(seconds=600):
            await self._raw.create_indexes(indexes)


class Database:
    """A connected database; one per process and event loop."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._raw = client.get_database(
            name,
            codec_options=_CODEC,
            write_concern=pymongo.WriteConcern(w="majority", j=True),
        )

    def __getitem__(self, name: str) -> Collection:
        return Collection(self._raw[name])

    async def ping(self) -> None:
        """Raise StorageUnavailable unless the server answers."""
        with translated(seconds=2):
            await self._client.admin.command("ping")

    async def drop(self) -> None:
        """Delete the whole database: for tests."""
        with translated():
            await self._client.drop_database(self._raw.name)

    async def aclose(self) -> None:
        closing = self._client.close()  # a coroutine in PyMongo, None in Motor
        if inspect.isawaitable(closing):
            await closing


@contextmanager
def translated(seconds: float = _OPERATION_SECONDS) -> Iterator[None]:
    """Bound the operations inside and turn "the server is away" into StorageUnavailable."""
    try:
        with pymongo.timeout(seconds):
            yield
    except (errors.ConnectionFailure, errors.ExecutionTimeout, errors.WTimeoutError) as error:
        raise StorageUnavailable(type(error).__name__) from error
    except errors.PyMongoError as error:
        if error.timeout or error.has_error_label("RetryableWriteError"):
            raise StorageUnavailable(type(error).__name__) from error
        raise


def open_database(settings: CommonSettings) -> Database:
    """A client for the running event loop; connects on first use."""
    options: dict[str, Any] = {
        "serverSelectionTimeoutMS": _SELECTION_MS,
        "socketTimeoutMS": 10_000,
        "maxPoolSize": 50,
        "retryWrites": True,
        "appname": "fanfare",
    }
    client: Any
    if settings.mongo_driver == "motor":
        from motor.motor_asyncio import AsyncIOMotorClient  # noqa: PLC0415 the driver is a choice

        client = AsyncIOMotorClient(settings.mongo_url, **options)
    else:
        client = pymongo.AsyncMongoClient(settings.mongo_url, **options)
    return Database(client, settings.mongo_database)


@asynccontextmanager
async def connect(settings: CommonSettings) -> AsyncIterator[Database]:
    """An open database that is closed again."""
    database = open_database(settings)
    try:
        yield database
    finally:
        await database.aclose()
