"""What the accepted pushes had in common that they should, and had not that they should not."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from tests.simulators.exchange import SimRequest

REFRESH_SECONDS_LEAST = 3_600  # Apple: a JWT is refreshed no more than once per hour


class Seen:
    """Counts distinct keys, salts and signatures."""

    def __init__(self, time_scale: float = 1.0) -> None:
        self.time_scale = time_scale
        self._headers: defaultdict[str, dict[str, float]] = defaultdict(dict)  # by origin, since
        self._salts: set[bytes] = set()
        self._sender_keys: set[bytes] = set()
        self._encrypted_bodies = 0
        self._hasty_refreshes = 0

    def count(self, request: SimRequest, origin: str) -> None:
        """Take note of an accepted push."""
        self._count_header(request.headers.get("authorization", ""), origin)
        if request.body:
            self._encrypted_bodies += 1
            self._salts.add(request.body[:16])
            self._sender_keys.add(request.body[21:86])

    def stats(self) -> dict[str, Any]:
        """Salts and keys must be as many as bodies; headers few, and none refreshed in haste."""
        return {
            "distinct_vapid_headers": sum(len(known) for known in self._headers.values()),
            "vapid_headers_by_origin": {origin: len(k) for origin, k in self._headers.items()},
            "hasty_vapid_refreshes": self._hasty_refreshes,
            "distinct_salts": len(self._salts),
            "distinct_sender_keys": len(self._sender_keys),
            "encrypted_bodies": self._encrypted_bodies,
        }

    def _count_header(self, header: str, origin: str) -> None:
        known = self._headers[origin]
        if header in known:
            return
        now = time.monotonic()
        same_key = [since for other, since in known.items() if _key_of(other) == _key_of(header)]
        if same_key and now - max(same_key) < REFRESH_SECONDS_LEAST / self.time_scale:
            self._hasty_refreshes += 1
        known[header] = now


def _key_of(header: str) -> str:
    return header.partition("k=")[2]
