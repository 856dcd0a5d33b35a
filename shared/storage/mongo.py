"""The one seam to the Mongo driver: connection, time limits, and what its errors mean.

Motor and PyMongo's own async client differ in a few calls only; those are bridged here, and
repositories use nothing else that differs (libraries: aggregate, sessions, close).
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from typing import Any, TypeVar

import pymongo
import stamina
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import errors
from pymongo.read_concern import ReadConcern

from shared.settings import CommonSettings

Document = dict[str, Any]
T = TypeVar("T")
_OPERATION_SECONDS = 4.0
_TRANSACTION_SECONDS = 8.0
_ATTEMPT_SECONDS = 4.0
_ABORT_SECONDS = 2.0
_SELECTION_MS = 3_000
_CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, tzinfo=UTC, uuid_representation=UuidRepresentation.STANDARD
)
_MAJORITY = pymongo.WriteConcern(w="majority", j=True)
_TRANSACTION = {"read_concern": ReadConcern("snapshot"), "write_concern": _MAJORITY}


class StorageUnavailable(Exception):
    """MongoDB did not answer in time: a write may or may not have happened."""


class Collection:
    """A collection whose calls are bounded in time and raise StorageUnavailable, not driver errors.

    `DuplicateKeyError`, `BulkWriteError` and other verdicts of the server pass through.
    """

    def __init__(self, raw: Any, session: Any = None) -> None:
        self._raw = raw
        self._session = session

    async def find_one(self, query: Document, projection: Document | None = None) -> Any:
        with translated():
            return await self._raw.find_one(query, projection, session=self._session)

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
                query,
                projection,
                sort=sort,
                skip=skip,
                limit=limit,
                batch_size=10_000,
                session=self._session,
            )
            found: list[Document] = await cursor.to_list(None)
            return found

    async def insert_one(self, document: Document) -> None:
        with translated():
            await self._raw.insert_one(document, session=self._session)

    async def insert_many(self, documents: list[Document]) -> None:
        with translated():
            await self._raw.insert_many(documents, ordered=False, session=self._session)

    async def update_one(self, query: Document, update: Any, *, upsert: bool = False) -> int:
        """How many documents matched (an upserted one counts)."""
        with translated():
            result = await self._raw.update_one(query, update, upsert=upsert, session=self._session)
            return int(result.matched_count) + (result.upserted_id is not None)

    async def update_many(self, query: Document, update: Any) -> int:
        with translated():
            return int(
                (await self._raw.update_many(query, update, session=self._session)).matched_count
            )

    async def find_one_and_update(
        self,
        query: Document,
        update: Any,
        *,
        upsert: bool = False,
        return_new: bool = True,
        sort: list[tuple[str, int]] | None = None,
    ) -> Any:
        with translated():
            return await self._raw.find_one_and_update(
                query,
                update,
                sort=sort,
                upsert=upsert,
                return_document=return_new,
                session=self._session,
            )

    async def delete_one(self, query: Document) -> bool:
        with translated():
            return bool((await self._raw.delete_one(query, session=self._session)).deleted_count)

    async def delete_many(self, query: Document) -> int:
        with translated():
            return int((await self._raw.delete_many(query, session=self._session)).deleted_count)

    async def bulk_write(self, operations: list[Any]) -> int:
        """Unordered; how many documents matched."""
        with translated():
            result = await self._raw.bulk_write(operations, ordered=False, session=self._session)
            return int(result.matched_count) + int(result.upserted_count)

    async def count(self, query: Document) -> int:
        with translated():
            return int(await self._raw.count_documents(query, session=self._session))

    async def aggregate(self, pipeline: list[Document]) -> list[Document]:
        with translated():
            cursor = await _awaited(self._raw.aggregate(pipeline))  # no coroutine in Motor
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
            write_concern=_MAJORITY,
        )

    def __getitem__(self, name: str) -> Collection:
        return Collection(self._raw[name])

    async def in_transaction(self, work: Callable[["Transaction"], Awaitable[T]]) -> T:
        """Run `work` as one transaction, again from its start while others are in its way.

        Raises:
            StorageUnavailable: it may or may not have been committed, or others always won.
        """
        try:
            async for attempt in stamina.retry_context(
                on=_is_conflict,
                attempts=None,
                timeout=_TRANSACTION_SECONDS,
                wait_initial=0.01,
                wait_max=0.2,
                wait_jitter=0.02,
            ):
                with attempt:
                    return await self._attempt(work)
        except errors.PyMongoError as error:
            if _is_conflict(error):
                raise StorageUnavailable(type(error).__name__) from error
            raise
        raise AssertionError("an endless retry has ended")

    async def _attempt(self, work: Callable[["Transaction"], Awaitable[T]]) -> T:
        session = await _awaited(self._client.start_session())  # no coroutine in PyMongo
        async with session:
            try:
                with translated(seconds=_ATTEMPT_SECONDS):
                    await _awaited(session.start_transaction(**_TRANSACTION))  # none in Motor
                    outcome = await work(Transaction(self._raw, session))
                    await session.commit_transaction()
                    return outcome
            finally:
                await _abort(session)

    async def ping(self) -> None:
        """Raise StorageUnavailable unless the server answers."""
        with translated(seconds=2):
            await self._client.admin.command("ping")

    async def drop(self) -> None:
        """Delete the whole database: for tests."""
        with translated():
            await self._client.drop_database(self._raw.name)

    async def aclose(self) -> None:
        await _awaited(self._client.close())  # no coroutine in Motor


class Transaction:
    """The collections as one transaction sees and changes them."""

    def __init__(self, raw: Any, session: Any) -> None:
        self._raw = raw
        self._session = session

    def __getitem__(self, name: str) -> Collection:
        return Collection(self._raw[name], self._session)


def _is_conflict(error: Exception) -> bool:
    """Whether a transaction was only in another's way."""
    return isinstance(error, errors.PyMongoError) and error.has_error_label(
        "TransientTransactionError"
    )


async def _abort(session: Any) -> None:
    """In time of its own: a transaction that is left open keeps others out for a minute."""
    if session.in_transaction:
        with translated(seconds=_ABORT_SECONDS):
            await session.abort_transaction()


async def _awaited(value: Any) -> Any:
    """The drivers do not agree on what is a coroutine."""
    return await value if inspect.isawaitable(value) else value


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
