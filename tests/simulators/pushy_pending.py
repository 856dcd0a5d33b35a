"""The pushes that Pushy took, and for which devices each still waits."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

PUSHES_KEPT = 100_000
PENDING_SHOWN = 1_000
MONTH_SECONDS = 30 * 86_400
IsOnline = Callable[[str], bool]


class Push(msgspec.Struct):
    """One push; `due_at` is when a scheduled one begins."""

    payload: Any
    date: float
    due_at: float
    expires_at: float
    collapse_key: str | None
    pending: dict[str, None]

    def shown(self) -> dict[str, Any]:
        """Without its id."""
        return {
            "date": int(self.date),
            "payload": self.payload,
            "expiration": int(self.expires_at),
        }


class Pushes:
    """By app and id, the oldest forgotten first; `time_scale` makes waits end sooner."""

    def __init__(self, is_online: IsOnline) -> None:
        self.time_scale = 1.0
        self._is_online = is_online
        self._pushes: OrderedDict[tuple[str, str], Push] = OrderedDict()

    def clear(self) -> None:
        """Forget all."""
        self._pushes.clear()

    def add(self, api_key: str, push_id: str, content: dict[str, Any], tokens: list[str]) -> None:
        """Keep a push; a device that is away loses what waited for it under the collapse key."""
        now = time.time()
        due_at = now + max(0.0, content.get("schedule", now) - now) / self.time_scale
        lifetime = content.get("time_to_live", MONTH_SECONDS) / self.time_scale
        collapse_key = content.get("collapse_key")
        is_due = due_at <= now
        pending = {t: None for t in tokens if not is_due or not self._is_online(t)}
        if pending and collapse_key is not None:
            self._collapse(api_key, collapse_key, pending)
        self._pushes[api_key, push_id] = Push(
            content["data"], now, due_at, due_at + lifetime, collapse_key, pending
        )
        if len(self._pushes) > PUSHES_KEPT:
            self._pushes.popitem(last=False)

    def of(self, api_key: str, push_id: str) -> dict[str, Any] | None:
        """As `GET /pushes/<id>` shows it."""
        push = self._pushes.get((api_key, push_id))
        if push is None:
            return None
        waiting = list(self._waiting(push))[:PENDING_SHOWN]
        return {**push.shown(), "pending_devices": waiting}

    def waiting_for(self, api_key: str, token: str) -> list[dict[str, Any]]:
        """What a device that is away would get."""
        return [
            {"id": push_id, **push.shown()}
            for (key, push_id), push in self._pushes.items()
            if key == api_key and token in self._waiting(push)
        ]

    def remove(self, api_key: str, push_id: str) -> bool:
        """Nobody gets it any more; false when unknown."""
        return self._pushes.pop((api_key, push_id), None) is not None

    def deliver(self, token: str) -> None:
        """The device is back: what is due has reached it."""
        for push in self._pushes.values():
            if push.due_at <= time.time():
                push.pending.pop(token, None)

    def _waiting(self, push: Push) -> dict[str, None]:
        now = time.time()
        if push.pending and now >= push.expires_at:
            push.pending.clear()
        if push.pending and now >= push.due_at:
            for token in [token for token in push.pending if self._is_online(token)]:
                del push.pending[token]
        return push.pending

    def _collapse(self, api_key: str, collapse_key: str, tokens: dict[str, None]) -> None:
        for (key, _), push in self._pushes.items():
            if key == api_key and push.collapse_key == collapse_key:
                for token in push.pending.keys() & tokens.keys():
                    del push.pending[token]
