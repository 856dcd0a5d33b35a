"""What a delivery is: one notification to one device, and the states it may be in."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from shared.domain.devices import Provider
from shared.domain.notifications import Lane, NotificationStatus

DeliveryState = Literal[
    "accepted",
    "sent",
    "unregistered",
    "rejected",
    "expired",
    "exhausted",
    "suppressed",
    "cancelled",
    "unknown",
]
DELIVERIES_PER_CHUNK_MAX = 100


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far one delivery is; stored as an array under `st.<index>` of its chunk.

    `attempts` is how many were made. While `state` is `accepted`, `next_attempt_at` says when the
    next one is due. Every other state is terminal and never changes again.
    """

    state: DeliveryState
    reason: str | None
    attempts: int
    provider_message_id: str | None
    at: datetime
    next_attempt_at: datetime | None = None
    is_dead_letter: bool = False  # operators are to look at it
    cut: tuple[str, ...] = ()  # of title, body and data, what was sent shortened or not at all
    parked_under: str | None = None  # fingerprint of the credential that did not do, "" for none

    @property
    def is_terminal(self) -> bool:
        return self.state != "accepted"


class Target(msgspec.Struct, frozen=True, array_like=True):
    """One delivery of a chunk: which notification of the send goes to which device."""

    notification: int
    device_id: UUID


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Up to 100 deliveries of one provider: the unit of queueing and leasing."""

    chunk_id: UUID
    app_id: UUID
    send_id: UUID
    provider: Provider
    lane: Lane
    targets: tuple[Target, ...]
    expires_at: datetime
    times_left: int = 0  # how often in a row a worker leased it and never finished
    progress: dict[int, Progress] = {}

    def is_finished_with(self, later: dict[int, Progress]) -> bool:
        """Whether every delivery is terminal, given what happened since the chunk was read."""
        merged = self.progress | later
        return len(merged) == len(self.targets) and all(p.is_terminal for p in merged.values())

    def attempts_of(self, index: int) -> int:
        """How many attempts a delivery has had."""
        progress = self.progress.get(index)
        return 0 if progress is None else progress.attempts

    def is_waiting(self, index: int) -> bool:
        """Whether a delivery is not settled yet."""
        progress = self.progress.get(index)
        return progress is None or not progress.is_terminal

    def is_due_at(self, index: int, now: datetime) -> bool:
        """Whether a delivery's next attempt, whichever it is, should have been made by now."""
        progress = self.progress.get(index)
        if progress is None or progress.is_terminal:
            return progress is None
        return progress.next_attempt_at is None or progress.next_attempt_at <= now

    def is_due(self, index: int, attempt: int) -> bool:
        """Whether a delivery is still to get its attempt number `attempt`."""
        progress = self.progress.get(index)
        return progress is None or (not progress.is_terminal and progress.attempts < attempt)


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as callers see it in a notification's status."""

    device_id: UUID
    provider: Provider
    state: DeliveryState
    reason: str | None
    attempts: int
    provider_message_id: str | None
    next_attempt_at: Annotated[datetime, msgspec.Meta(tz=True)] | None
    updated_at: Annotated[datetime, msgspec.Meta(tz=True)] | None
    cut: tuple[str, ...]


def status_of(states: list[DeliveryState], *, is_cancelled: bool = False) -> NotificationStatus:
    """A notification's status from the states of its deliveries (CONTRACT §4).

    `is_cancelled`: it was called off; what was with a provider by then is not claimed back.
    """
    if not states:
        return "cancelled" if is_cancelled else "no_devices"
    if "accepted" in states:
        return "pending"
    if "sent" in states:
        return "sent"
    if all(state == "expired" for state in states):
        return "expired"
    if all(state == "cancelled" for state in states):
        return "cancelled"
    return "failed"
