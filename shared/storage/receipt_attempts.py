"""The log of webhook calls: one document per attempt, kept as long as receipts are."""

from datetime import datetime
from uuid import UUID

import msgspec

from shared.ids import new_id
from shared.storage.mongo import Database

ANSWER_BYTES_MAX = 1_024
Fields = dict[str, object]


class ReceiptAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at one webhook call.

    `status` is None when no answer came, `problem` None when the endpoint took the call. `answer`
    is the beginning of the answer's body as text.
    """

    app_id: UUID
    webhook_id: str
    first_seq: int
    attempt: int
    at: datetime
    status: int | None
    problem: str | None
    took_ms: int
    answer: str


class ReceiptAttemptRepository:
    """Written once, never changed."""

    def __init__(self, database: Database) -> None:
        self._attempts = database["receipt_attempts"]

    async def note(self, attempt: ReceiptAttempt) -> None:
        document: Fields = msgspec.structs.asdict(attempt)
        await self._attempts.insert_one(document | {"_id": new_id(attempt.at)})

    async def newest(self, app_id: UUID, *, limit: int) -> list[ReceiptAttempt]:
        """The last attempts of an app, newest first."""
        documents = await self._attempts.find(
            {"app_id": app_id}, projection={"_id": 0}, sort=[("at", -1), ("_id", -1)], limit=limit
        )
        return [ReceiptAttempt(**document) for document in documents]


def answer_text(body: bytes) -> str:
    """The first 1 KB of an answer's body; what is no UTF-8 is replaced, and NUL too."""
    return (
        body[:ANSWER_BYTES_MAX].decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
