"""uvicorn's HTTP protocol with bounds on what comes before a body: its size and its time.

uvicorn bounds neither, and both come before any token is looked at.
"""

import asyncio
import os
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.problems import members_of

HEAD_BYTES_MAX = 65_536  # checked after each read, which uvloop bounds to 256 KiB
HEAD_SECONDS = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and header fields are too many or too slow."""

    _head_bytes = 0
    _is_in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, "Request header fields too large")

    def on_message_begin(self) -> None:
        self._start_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "Not an HTTP request")

    def _start_timer(self) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._refuse(408, "Request did not arrive in time")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer unless an earlier request of the connection is still to be answered, and close."""
        if self.transport.is_closing():
            return
        earlier: RequestResponseCycle | None = self.cycle
        if earlier is None or earlier.response_complete:
            self.transport.write(_answer(status, detail))
        self.transport.close()


def _answer(status: int, detail: str) -> bytes:
    trace_id = os.urandom(16).hex()
    body = msgspec.json.encode(members_of(status, detail, {}, trace_id))
    fields = (
        b"content-type: application/problem+json",
        b"content-length: %d" % len(body),
        b"x-request-id: " + trace_id.encode(),
        b"cache-control: no-store",
        b"connection: close",
    )
    return STATUS_LINE[status] + b"\r\n".join(fields) + b"\r\n\r\n" + body
