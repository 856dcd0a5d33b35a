"""Keys of encrypted bodies: a new one each day, older ones work for a week, all processes agree.

A day's key is made by whoever needs it first. Its name tells its day, so that any process finds it.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec

from shared.clock import Clock
from shared.crypto import envelopes
from shared.storage.keys import KeyRepository

WORKS_FOR = timedelta(days=7)  # after its day
T = TypeVar("T")
_DAY = timedelta(days=1)
_LARGE_CHARACTERS = 65_536
_KID = re.compile(r"([0-9]{8})\.[A-Za-z0-9_-]{16}")
_AHEAD = timedelta(minutes=1)  # by which the clock of a process may be ahead of another's


class PublicKey(msgspec.Struct, frozen=True):
    """What callers encrypt with, until `expires_at`."""

    kid: str
    jwk: dict[str, str]
    expires_at: datetime


class _Key(msgspec.Struct, frozen=True):
    kid: str
    private: bytes


class EnvelopeKeys:
    """Keeps in memory what it has read: at most one key for each day that still counts."""

    def __init__(self, keys: KeyRepository, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._known: dict[datetime, _Key] = {}

    async def current(self) -> PublicKey:
        """Today's key (UTC)."""
        day = _day_of(self._clock())
        if day not in self._known:
            private = await self._keys.get_or_create(
                _name(day), envelopes.generate_key, expires_at=_end_of(day)
            )
            self._keep(day, private)
        key = self._known[day]
        return PublicKey(key.kid, envelopes.public_jwk(key.private, key.kid), _end_of(day))

    async def open(self, compact: str, *, plaintext_bytes_max: int) -> bytes | None:
        """What an envelope holds; None for whatever is wrong with it."""
        parse = partial(envelopes.parse, plaintext_bytes_max=plaintext_bytes_max)
        sealed = await _run(parse, compact, size=len(compact))
        key = await self._find(sealed.kid) if sealed else None
        if sealed is None or key is None:
            return None
        return await _run(envelopes.open_sealed, sealed, key.private, size=len(compact))

    async def _find(self, kid: str) -> _Key | None:
        match = _KID.fullmatch(kid)
        day = _parse_day(match[1]) if match else None
        now = self._clock()
        if day is None or day > now + _AHEAD or now >= _end_of(day):
            return None
        if day not in self._known:
            private = await self._keys.find(_name(day))
            if private is None:
                return None
            self._keep(day, private)
        key = self._known[day]
        return key if key.kid == kid else None

    def _keep(self, day: datetime, private: bytes) -> None:
        now = self._clock()
        self._known = {d: key for d, key in self._known.items() if now < _end_of(d)}
        self._known[day] = _Key(f"{day:%Y%m%d}.{envelopes.thumbprint(private)[:16]}", private)


async def _run(work: Callable[..., T], *arguments: Any, size: int) -> T:
    """Work on an envelope; a large one takes a tenth of a second, so beside the event loop."""
    if size > _LARGE_CHARACTERS:
        return await asyncio.to_thread(work, *arguments)
    return work(*arguments)


def _day_of(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _end_of(day: datetime) -> datetime:
    return day + _DAY + WORKS_FOR


def _name(day: datetime) -> str:
    return f"envelope:{day:%Y-%m-%d}"


def _parse_day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
