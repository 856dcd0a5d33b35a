"""What a push service keeps for a browser that is away, until it is back or the TTL is over."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from typing import Any

import msgspec

MESSAGES_KEPT = 100_000


class Message(msgspec.Struct):
    """A message resource (RFC 8030 §5): `body` is there as long as it waits for its browser."""

    subscription: str
    topic: str | None = None
    expires_at: float = 0.0
    body: bytes | None = None
    headers: list[tuple[str, str]] = []


class MessageStore:
    """Resources by id, the oldest forgotten first; `time_scale` makes TTLs end sooner."""

    def __init__(self) -> None:
        self.time_scale = 1.0
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self._waiting: dict[str, list[str]] = {}
        self._fates: Counter[str] = Counter()

    def pass_on(self, message_id: str, subscription: str) -> None:
        """One that the browser had at once."""
        self._add(message_id, Message(subscription))

    def keep(self, message_id: str, message: Message, ttl: int) -> str:
        """One for a browser that is away: `stored`, or `dropped` with a TTL of 0.

        A waiting one with its topic is replaced (RFC 8030 §5.4).
        """
        waiting = self._waiting.setdefault(message.subscription, [])
        topic = message.topic
        for other_id in [i for i in waiting if topic and self._messages[i].topic == topic]:
            self._end(other_id, "replaced")
        if ttl == 0:
            self._fates["dropped"] += 1
            return "dropped"
        message.expires_at = time.monotonic() + ttl / self.time_scale
        self._add(message_id, message)
        waiting.append(message_id)
        self._fates["stored"] += 1
        return "stored"

    def deliver(self, subscription: str) -> None:
        """The browser is back: what waits and is not too old is its."""
        for message_id in list(self._waiting.get(subscription, ())):
            if self.get(message_id) is not None:
                self._end(message_id, "delivered_later")

    def get(self, message_id: str) -> Message | None:
        """A message that still waits."""
        message = self._messages.get(message_id)
        if message is None or message.body is None:
            return None
        if message.expires_at <= time.monotonic():
            self._end(message_id, "expired")
            return None
        return message

    def remove(self, message_id: str) -> bool:
        """DELETE of the resource; false when there is none."""
        message = self._messages.get(message_id)
        if message is None:
            return False
        if message.body is not None:
            self._end(message_id, "cancelled")
        else:
            del self._messages[message_id]
        return True

    def stats(self) -> dict[str, Any]:
        """How many were stored, and what became of them."""
        return dict(self._fates)

    def _add(self, message_id: str, message: Message) -> None:
        self._messages[message_id] = message
        if len(self._messages) > MESSAGES_KEPT:
            oldest, message = self._messages.popitem(last=False)
            if message.body is not None:
                self._waiting[message.subscription].remove(oldest)

    def _end(self, message_id: str, fate: str) -> None:
        message = self._messages.pop(message_id)
        self._waiting[message.subscription].remove(message_id)
        self._fates[fate] += 1
