"""Wire format of receipts that are pulled or replayed, and of the webhook's log."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import invalid
from api.schemas.base import Body, Instant
from api.services.receipts import ReceiptPage
from api.services.receipts_replay import Replayed
from api.services.receipts_webhook import Tested
from shared.domain.receipts import Receipt
from shared.storage.receipt_attempts import ReceiptAttempt
from shared.storage.receipt_replays import ById, BySeq, ByTime, Selection

SEQ_MAX = 2**53 - 1
IDS_MAX = 1_000
_FORMS = "exactly one of: ids; from_seq and to_seq; since and until"
_, _components = msgspec.json.schema_components([Receipt])
StoredReceipt = Annotated[msgspec.Raw, Meta(extra_json_schema=_components["Receipt"])]
Seq = Annotated[int, Meta(ge=1, le=SEQ_MAX)]
ReceiptIds = Annotated[
    list[UUID], Meta(min_length=1, max_length=IDS_MAX, description="of these receipts")
]


class ReceiptsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of `seq`; the next page is the one behind `next_after`.

    What is older than `oldest_seq` is not kept any more, and can be had nowhere.
    """

    receipts: list[StoredReceipt]
    next_after: int
    has_more: bool
    oldest_seq: int
    newest_seq: int

    @classmethod
    def of(cls, page: ReceiptPage) -> "ReceiptsAnswer":
        return cls(**_members(page))


class ReplayBody(Body, frozen=True, kw_only=True):
    """One of three: `ids`; `from_seq` and `to_seq`; `since` and `until`, of their recording.

    At most 10,000 receipts, all those counted that travel in the same calls.
    """

    ids: ReceiptIds | UnsetType = UNSET
    from_seq: Seq | UnsetType = UNSET
    to_seq: Seq | UnsetType = UNSET
    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET

    def selection(self) -> Selection:
        """What was chosen.

        Raises:
            ValidationFailedError: no form, several, half of one, or one that holds nothing.
        """
        match (self.ids, self.from_seq, self.to_seq, self.since, self.until):
            case (list() as ids, UnsetType(), UnsetType(), UnsetType(), UnsetType()):
                return ById(tuple(ids))
            case (UnsetType(), int() as first, int() as last, UnsetType(), UnsetType()):
                return _by_seq(first, last)
            case (UnsetType(), UnsetType(), UnsetType(), datetime() as since, datetime() as until):
                return _by_time(since, until)
            case _:
                raise invalid("#", _FORMS)


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted again. Calls that were to be posted at once anyway are not queued twice."""

    calls: int
    receipts: int
    calls_queued_before: int

    @classmethod
    def of(cls, replayed: Replayed) -> "ReplayAnswer":
        return cls(**_members(replayed))


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """`problem` is null when the endpoint took the call, `status` when no answer came.

    `answer` is the first 1,024 bytes of the answer's body.
    """

    webhook_id: str
    first_seq: int
    attempt: int
    at: Instant
    status: int | None
    problem: str | None
    took_ms: int
    answer: str

    @classmethod
    def of(cls, attempt: ReceiptAttempt) -> "AttemptRow":
        return cls(**{name: getattr(attempt, name) for name in cls.__struct_fields__})


class AttemptsAnswer(msgspec.Struct, frozen=True):
    """Newest first."""

    attempts: list[AttemptRow]

    @classmethod
    def of(cls, attempts: list[ReceiptAttempt]) -> "AttemptsAnswer":
        return cls([AttemptRow.of(attempt) for attempt in attempts])


class WebhookTestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the event, in the terms of the attempts' log."""

    webhook_id: str
    status: int | None
    problem: str | None
    took_ms: int
    answer: str

    @classmethod
    def of(cls, tested: Tested) -> "WebhookTestAnswer":
        return cls(**_members(tested))


def _by_seq(first: int, last: int) -> BySeq:
    if last < first:
        raise invalid("#/to_seq", "less than from_seq")
    return BySeq(first, last)


def _by_time(since: datetime, until: datetime) -> ByTime:
    if until <= since:
        raise invalid("#/until", "not later than since")
    return ByTime(_in_range(since), _in_range(until))


def _in_range(instant: datetime) -> datetime:
    """The same instant in UTC; the ends of time, which UTC cannot say, are brought in."""
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
    return min(max(instant, first), last).astimezone(UTC)


def _members(struct: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(struct)
