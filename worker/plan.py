"""What a pointer asks of a chunk, and what of that must not be sent any more; pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from shared.domain.deliveries import Chunk, Progress
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.queue.messages import ANY_ATTEMPT, Pointer
from shared.storage.chunks import CANCELLED_BY_CALLER
from worker.loading import Loaded
from worker.retry import Settle

NOW_OR_NEVER_GRACE = timedelta(seconds=60)


class Push(msgspec.Struct, frozen=True):
    """A notification and the device that it may be sent to now."""

    notification: Notification
    device: Device


def asked(chunk: Chunk, pointer: Pointer) -> Sequence[int]:
    """The deliveries of a chunk that a pointer speaks of."""
    return range(len(chunk.targets)) if pointer.indexes is None else pointer.indexes


def due_now(chunk: Chunk, pointer: Pointer, now: datetime) -> dict[int, int]:
    """Which deliveries to attempt, by index, and the number of that attempt."""
    indexes = asked(chunk, pointer)
    if pointer.attempt == ANY_ATTEMPT:
        return {i: chunk.attempts_of(i) + 1 for i in indexes if chunk.is_due_at(i, now)}
    return {i: pointer.attempt for i in indexes if chunk.is_due(i, pointer.attempt)}


def forgotten(chunk: Chunk, pointer: Pointer) -> dict[int, Progress]:
    """What may never have been followed up: a worker left the chunk in the middle of it."""
    may_be = chunk.times_left > 0 or pointer.attempt == ANY_ATTEMPT
    return chunk.progress if may_be else {}


def guard(loaded: Loaded, index: int, now: datetime) -> Push | Settle:
    """What is to be sent, or the state of a delivery that must not be sent any more."""
    target = loaded.chunk.targets[index]
    device = loaded.devices.get(target.device_id)
    app = loaded.sender.app
    if loaded.send is None or app is None:
        return Settle(state="cancelled", reason="erased")
    if target.notification in loaded.send.cancelled:
        return Settle(state="cancelled", reason=CANCELLED_BY_CALLER)
    notification = loaded.send.notification(target.notification)
    if now >= _last_moment(notification):
        return Settle(state="expired", reason=_kept_waiting_by(loaded, index) or "deadline")
    if not app.enabled:
        return Settle(state="cancelled", reason="push_not_enabled")
    if device is not None and device.token == "":
        return Settle(state="rejected", reason="unreadable_token", dead_letter=True)
    if device is None or not device.active:
        return Settle(state="unregistered", reason="inactive_device")
    if device.user_id != notification.user_id:
        return Settle(state="unregistered", reason="device_changed_hands")
    return Push(notification, device)


def _kept_waiting_by(loaded: Loaded, index: int) -> str | None:
    """What was wrong with the credential of a delivery that was parked to its end."""
    progress = loaded.chunk.progress.get(index)
    return None if progress is None or progress.parked_under is None else progress.reason


def _last_moment(notification: Notification) -> datetime:
    """A now-or-never notification gets the time of one hand-over."""
    if notification.is_now_or_never:
        return notification.starts_at + NOW_OR_NEVER_GRACE
    return notification.expires_at
