"""What a notification looks like from outside: pure, from its send's outline and its chunks."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import msgspec

from shared.domain.deliveries import Chunk, DeliveryRow, Progress, status_of
from shared.domain.notifications import NotificationStatus
from shared.domain.sends import Outline


class NotificationReport(msgspec.Struct, frozen=True):
    """A notification as it stands now."""

    outline: Outline
    index: int
    status: NotificationStatus
    devices: list[DeliveryRow]


def reported(outline: Outline, index: int, chunks: Sequence[Chunk]) -> NotificationReport:
    rows = [row for chunk in chunks for row in _rows(chunk, index)]
    return NotificationReport(outline, index, _status(outline, index, rows), rows)


def _status(outline: Outline, index: int, rows: list[DeliveryRow]) -> NotificationStatus:
    is_cancelled = index in outline.cancelled
    if outline.is_scheduled(index):
        return "cancelled" if is_cancelled else "scheduled"
    return status_of([row.state for row in rows], is_cancelled=is_cancelled)


def indexes_of(chunk: Chunk, notification: int) -> list[int]:
    targets = enumerate(chunk.targets)
    return [index for index, target in targets if target.notification == notification]


def _rows(chunk: Chunk, notification: int) -> Iterator[DeliveryRow]:
    for index in indexes_of(chunk, notification):
        yield _row(chunk, chunk.targets[index].device_id, chunk.progress.get(index))


def _row(chunk: Chunk, device_id: UUID, progress: Progress | None) -> DeliveryRow:
    return DeliveryRow(
        device_id=device_id,
        provider=chunk.provider,
        state=progress.state if progress else "accepted",
        reason=progress.reason if progress else None,
        attempts=progress.attempts if progress else 0,
        provider_message_id=progress.provider_message_id if progress else None,
        next_attempt_at=progress.next_attempt_at if progress else None,
        updated_at=progress.at if progress else None,
        cut=progress.cut if progress else (),
    )
