"""Wire format of dead letters, which never holds a token, a title or a body."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import invalid
from api.schemas.base import Body, Instant, NextCursor
from api.schemas.notifications import NotificationRow
from api.services.dead_letters import DeadLetterPage, DeadLetterReport
from api.services.discarding import Discarded
from shared.domain.deliveries import DeliveryRow
from shared.domain.devices import Provider
from shared.storage.dead_letters import DeadLetter, DeadLetterFilter

T = TypeVar("T")
REASON_MAX = 256
IDS_MAX = 1_000
_FORMS = "exactly one of: ids; filter"
DeadLetterIds = Annotated[
    list[UUID], Meta(min_length=1, max_length=IDS_MAX, description="these dead letters")
]
Reason = Annotated[str, Meta(min_length=1, max_length=REASON_MAX)]


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True):
    """Of a message that cannot be read only `reason` and `died_at` are known."""

    dead_letter_id: UUID
    app_id: UUID | None
    notification_id: UUID | None
    device_id: UUID | None
    provider: Provider | None
    reason: str
    attempts: int
    died_at: Instant

    @classmethod
    def of(cls, letter: DeadLetter) -> "DeadLetterRow":
        return cls(**_row(letter))


class DeadLettersAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next_cursor` is there when there are more."""

    dead_letters: list[DeadLetterRow]
    next_cursor: NextCursor | UnsetType = UNSET

    @classmethod
    def of(cls, page: DeadLetterPage) -> "DeadLettersAnswer":
        after = page.next_after
        rows = [DeadLetterRow.of(letter) for letter in page.letters]
        return cls(rows, UNSET if after is None else after.hex)


class DeadLetterAnswer(DeadLetterRow, frozen=True, kw_only=True):
    """With its notification and delivery, null where they are not known, or not kept any more.

    `message_bytes`: how much is kept of a message that cannot be read.
    """

    message_bytes: int | None
    notification: NotificationRow | None
    delivery: DeliveryRow | None

    @classmethod
    def of(cls, report: DeadLetterReport) -> "DeadLetterAnswer":  # type: ignore[override]
        raw, notification = report.letter.raw, report.notification
        return cls(
            **_row(report.letter),
            message_bytes=None if raw is None else len(raw),
            notification=None if notification is None else NotificationRow.of(notification),
            delivery=report.delivery,
        )


class ChosenBody(Body, frozen=True, kw_only=True):
    """What fits everything given; without members all. Times as in the list."""

    provider: Provider | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET


class DiscardBody(Body, frozen=True, kw_only=True):
    """Either `ids` or `filter`; `dry_run` only counts."""

    ids: DeadLetterIds | UnsetType = UNSET
    filter: ChosenBody | UnsetType = UNSET
    dry_run: bool = False

    def chosen(self, app_id: UUID | None) -> DeadLetterFilter:
        """What was chosen, of that app or of all.

        Raises:
            ValidationFailedError: neither form, or both.
        """
        match self.ids, self.filter:
            case list() as ids, UnsetType():
                return DeadLetterFilter(app_id=app_id, ids=tuple(ids))
            case UnsetType(), ChosenBody() as body:
                return DeadLetterFilter(
                    app_id=app_id,
                    provider=_given(body.provider),
                    reason=_given(body.reason),
                    since=_instant(body.since),
                    until=_instant(body.until),
                )
            case _:
                raise invalid("#", _FORMS)


class DiscardAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many were discarded, or with `dry_run` would be; up to 10,000 at once.

    While there are more, ask again.
    """

    discarded: int
    has_more: bool

    @classmethod
    def of(cls, discarded: Discarded) -> "DiscardAnswer":
        return cls(discarded=discarded.discarded, has_more=discarded.has_more)


def instant_or_none(text: str | None, pointer: str) -> datetime | None:
    """The instant in a query parameter, in UTC.

    Raises:
        ValidationFailedError: it is no RFC 3339 time with an offset.
    """
    if text is None:
        return None
    try:
        return within_reach(msgspec.convert(text, Instant))
    except msgspec.ValidationError:
        raise invalid(pointer, "Expected an RFC 3339 time with an offset") from None


def within_reach(instant: datetime) -> datetime:
    """The same instant in UTC; the ends of time, which UTC cannot say, are brought in."""
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
    return min(max(instant, first), last).astimezone(UTC)


def _row(letter: DeadLetter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in DeadLetterRow.__struct_fields__}


def _given(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value


def _instant(value: datetime | UnsetType) -> datetime | None:
    return None if isinstance(value, UnsetType) else within_reach(value)
