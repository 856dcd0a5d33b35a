"""How an answer's bytes reach the client: split, padded with empty frames, or drop by drop."""

from __future__ import annotations

import asyncio
import os
import socket

import msgspec

FRAME_HEADER_BYTES = 9
CONTINUATION = 9
END_HEADERS = 4


class Shape(msgspec.Struct, frozen=True):
    """`frame_bytes`: DATA frames (HTTP/1.1: chunks) of so many; `drip_seconds`: between bytes."""

    frame_bytes: int | None = None
    empty_last: bool = False
    split_headers: bool = False
    drip_seconds: float = 0.0


def split_headers(frame: bytes) -> list[bytes]:
    """A HEADERS frame as HEADERS without END_HEADERS, and CONTINUATION with the rest."""
    head, block = frame[:FRAME_HEADER_BYTES], frame[FRAME_HEADER_BYTES:]
    flags, stream = head[4], head[5:9]
    middle = len(block) // 2
    first, rest = block[:middle], block[middle:]
    return [
        len(first).to_bytes(3) + head[3:4] + bytes([flags & ~END_HEADERS]) + stream + first,
        len(rest).to_bytes(3) + bytes([CONTINUATION, END_HEADERS]) + stream + rest,
    ]


class Tap:
    """Writes at once, or what comes while it drips byte by byte, in order."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._waiting = bytearray()
        self._seconds = 0.0

    def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if self._seconds > 0:
            self._waiting.extend(data)
        else:
            self._transport.write(data)

    def drip(self, seconds: float) -> None:
        """From now on, for ever: a connection that drips does not recover."""
        if self._seconds == 0 and seconds > 0:
            self._seconds = seconds
            self._drop()

    def _drop(self) -> None:
        if self._transport.is_closing():
            return
        if self._waiting:
            self._transport.write(bytes(self._waiting[:1]))
            del self._waiting[:1]
        asyncio.get_running_loop().call_later(self._seconds, self._drop)


def send_fin(transport: asyncio.Transport) -> None:
    """FIN alone, without TLS's farewell and without an end to reading."""
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as copy:
        copy.shutdown(socket.SHUT_WR)
