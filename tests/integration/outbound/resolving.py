"""A DNS stub: what names resolve to is said by the test, and may change between two calls."""

from typing import Any

import pycurl

from shared.outbound.easy import Easy
from shared.outbound.transport import Transport


class StubbedTransport(Transport):
    """A transport whose resolver knows these names only (libcurl's RESOLVE, in its DNS cache)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._names: list[str] = []

    def resolve(self, host: str, port: int, *addresses: str) -> None:
        """From now on a name resolves to these addresses, in this order."""
        found = ",".join(f"[{a}]" if ":" in a else a for a in addresses)
        self._names = [f"{host}:{port}:{found}"]
        for easy in self._free:
            self._teach(easy)

    def _new_easy(self) -> Easy:
        easy = super()._new_easy()
        self._teach(easy)
        return easy

    def _teach(self, easy: Easy) -> None:
        easy.curl.setopt(pycurl.RESOLVE, self._names)
