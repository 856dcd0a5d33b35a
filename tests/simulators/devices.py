"""What a provider knows of its devices: their states, set by tests or by magic in the token."""

from __future__ import annotations

import time
from typing import Literal, get_args

import msgspec

State = Literal[
    "active",
    "unregistered",
    "bad",
    "other_topic",
    "other_environment",
    "expired",
    "mismatch",
    "apns_missing",
]
STATES: tuple[State, ...] = get_args(State)


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device's state; `timestamp_ms` is since when it is so."""

    state: State = "active"
    timestamp_ms: int | None = None
    environment: Literal["production", "sandbox"] = (
        "sandbox"  # where an `other_environment` token is at home
    )
    platform: Literal["android", "ios", "web", "electron", "python"] = "android"
    presence: Literal["online", "offline", "uninstalled", "unsubscribed"] = "online"


ACTIVE = Device()


class Devices:
    """An open registry: what nobody listed is active, unless its token is a magic one."""

    def __init__(self, prefixes: dict[str, State], once_mark: str) -> None:
        self._prefixes = prefixes
        self._once_mark = once_mark
        self._listed: dict[str, Device] = {}
        self._excused: set[str] = set()

    def put(self, token: str, device: Device) -> Device:
        """Set a device's state; the time defaults to now where a state has one."""
        if device.timestamp_ms is None and device.state in ("unregistered", "expired"):
            device = msgspec.structs.replace(device, timestamp_ms=int(time.time() * 1000))
        self._listed[token] = device
        return device

    def get(self, token: str) -> Device:
        """The state of that token now."""
        listed = self._listed.get(token)
        if listed is not None:
            return listed
        for prefix, state in self._prefixes.items():
            if token.startswith(prefix):
                stamp = int(time.time() * 1000) if state == "unregistered" else None
                return Device(state=state, timestamp_ms=stamp)
        return ACTIVE

    def fails_once(self, token: str) -> bool:
        """True for the first request to a token that carries the fail-once mark."""
        if self._once_mark not in token or token in self._excused:
            return False
        self._excused.add(token)
        return True

    def clear(self) -> None:
        """Forget every state."""
        self._listed.clear()
        self._excused.clear()
