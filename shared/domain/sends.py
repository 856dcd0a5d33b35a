"""What a send is: one accepted request, its notifications, and the chunks that they become."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared import ids
from shared.domain.deliveries import DELIVERIES_PER_CHUNK_MAX, Chunk, Target
from shared.domain.devices import ActiveDevice, Provider
from shared.domain.notifications import Content, Lane, Notification


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """One notification of a send: who gets which of its contents."""

    user_id: UUID
    content: int


class Timing(msgspec.Struct, frozen=True, array_like=True):
    """When a content may be sent: at `send_at`, or at once when that is None, for its ttl."""

    ttl_seconds: int
    send_at: datetime | None


class Expansion(msgspec.Struct, frozen=True, array_like=True):
    """The deliveries of one chunk to be."""

    provider: Provider
    targets: tuple[Target, ...]


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """A send without what its contents say. Notification i of it is `recipients[i]`.

    `due_at`: the next instant at which scheduled notifications of it fire, None when none is left.
    `chunk_count`: how many chunks it has; `cancelled`: the notifications that were called off.
    """

    send_id: UUID
    app_id: UUID
    created_at: datetime
    recipients: tuple[Recipient, ...]
    timings: tuple[Timing, ...]
    lane: Lane
    delivery_count: int = 0
    chunk_count: int = 0
    published: bool = False
    due_at: datetime | None = None
    cancelled: frozenset[int] = frozenset()

    def starts_at(self, index: int) -> datetime:
        """When notification `index` may first be sent."""
        return self.timings[self.recipients[index].content].send_at or self.created_at

    def expires_at(self, index: int) -> datetime:
        """When notification `index` must not be sent any more."""
        ttl = self.timings[self.recipients[index].content].ttl_seconds
        return self.starts_at(index) + timedelta(seconds=ttl)

    def is_scheduled(self, index: int) -> bool:
        """Whether notification `index` still waits for its time."""
        return self.due_at is not None and self.starts_at(index) >= self.due_at

    def firing_at(self, now: datetime) -> list[int]:
        """The notifications whose time has come and whose devices were not looked up yet."""
        indexes = range(len(self.recipients))
        return [i for i in indexes if self.is_scheduled(i) and self.starts_at(i) <= now]

    def due_after(self, now: datetime) -> datetime | None:
        """When something fires next, once all that is due now has fired."""
        waiting = [t.send_at for t in self.timings if t.send_at is not None and t.send_at > now]
        return min(waiting, default=None)

    def chunks(self, expansions: Iterable[Expansion]) -> list[Chunk]:
        """The chunks that follow those which the send has already."""
        return [
            Chunk(
                chunk_id=ids.chunk_id(self.send_id, index),
                app_id=self.app_id,
                send_id=self.send_id,
                provider=expansion.provider,
                lane=self.lane,
                targets=tuple(expansion.targets),
                expires_at=max(self.expires_at(t.notification) for t in expansion.targets),
            )
            for index, expansion in enumerate(expansions, start=self.chunk_count)
        ]


class Send(Outline, frozen=True, kw_only=True):
    """One accepted request, whole."""

    contents: tuple[Content, ...]

    def notification(self, index: int) -> Notification:
        """Notification `index`.

        Raises:
            IndexError: the send has fewer.
        """
        recipient = self.recipients[index]
        return Notification(
            notification_id=ids.notification_id(self.send_id, index),
            app_id=self.app_id,
            user_id=recipient.user_id,
            content=self.contents[recipient.content],
            starts_at=self.starts_at(index),
            expires_at=self.expires_at(index),
        )

    def expand(self, indexes: Iterable[int], devices: Sequence[ActiveDevice]) -> list[Expansion]:
        """Groups of up to 100 deliveries of one provider: these notifications to these devices.

        What was cancelled is left out, and so are devices of platforms that are not meant.
        """
        by_user: dict[UUID, list[ActiveDevice]] = defaultdict(list)
        for device in devices:
            by_user[device.user_id].append(device)
        targets: dict[Provider, list[Target]] = defaultdict(list)
        for index in indexes:
            for device in self._meant(index, by_user):
                targets[device.provider].append(Target(index, device.device_id))
        return [
            Expansion(provider, tuple(group[start : start + DELIVERIES_PER_CHUNK_MAX]))
            for provider, group in targets.items()
            for start in range(0, len(group), DELIVERIES_PER_CHUNK_MAX)
        ]

    def _meant(self, index: int, by_user: dict[UUID, list[ActiveDevice]]) -> Iterable[ActiveDevice]:
        if index in self.cancelled:
            return ()
        recipient = self.recipients[index]
        takes = self.contents[recipient.content].options.takes
        return (d for d in by_user.get(recipient.user_id, []) if takes(d.platform))


def timings_of(contents: Iterable[Content]) -> tuple[Timing, ...]:
    return tuple(Timing(content.ttl_seconds, content.send_at) for content in contents)
