"""Identifiers: a send's UUID carries the ids of its notifications and chunks in its low bits.

Layout: a UUIDv7 (RFC 9562 §5.7: 48 bits of Unix milliseconds, then random bits) whose low 16 bits
are an index. Index 0 is the send; notification i is the send plus i; chunk i is the send plus
0x8000 plus i. So a notification or chunk names its send without an index lookup. Ids are not
secrets: every read is scoped to an app.
"""

import hashlib
import os
from datetime import datetime
from uuid import UUID, uuid5

_INDEX_BITS = 16
_INDEX_MASK = (1 << _INDEX_BITS) - 1
_CHUNK_FLAG = 0x8000
NOTIFICATIONS_PER_SEND_MAX = _CHUNK_FLAG
CHUNKS_PER_SEND_MAX = _CHUNK_FLAG
_NAMESPACE = UUID("6f1b8a6e-3a51-5c0e-9d0b-6a6f5f1c9a51")


def new_id(now: datetime) -> UUID:
    """A time-ordered random id (UUIDv7) for everything that is not a send."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    random_bits = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | random_bits
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def new_send_id(now: datetime) -> UUID:
    """An id whose low 16 bits are free for the index of a notification or chunk."""
    return UUID(int=new_id(now).int & ~_INDEX_MASK)


def notification_id(send_id: UUID, index: int) -> UUID:
    """The id of notification `index` (0 ≤ index < 32,768) of a send."""
    if not 0 <= index < NOTIFICATIONS_PER_SEND_MAX:
        raise ValueError("notification index out of range")
    return UUID(int=send_id.int | index)


def chunk_id(send_id: UUID, index: int) -> UUID:
    """The id of chunk `index` (0 ≤ index < 32,768) of a send."""
    if not 0 <= index < CHUNKS_PER_SEND_MAX:
        raise ValueError("chunk index out of range")
    return UUID(int=send_id.int | _CHUNK_FLAG | index)


def send_id_of(part: UUID) -> UUID:
    """The send that a notification or chunk id belongs to."""
    return UUID(int=part.int & ~_INDEX_MASK)


def index_of(part: UUID) -> int:
    """The index of a notification or chunk within its send."""
    return part.int & _INDEX_MASK & ~_CHUNK_FLAG


def receipt_id(chunk: UUID, index: int) -> UUID:
    """The one receipt id of a delivery: the same each time it is computed (RFC 9562 UUIDv5)."""
    return uuid5(_NAMESPACE, f"{chunk}:{index}")


def deactivation_id(device_id: UUID, at: datetime) -> UUID:
    """The one receipt id of a device's deactivation at an instant, which has whole milliseconds."""
    return uuid5(_NAMESPACE, f"{device_id}:deactivated:{at.timestamp():.3f}")


def content_id(content: bytes) -> UUID:
    """An id that the same bytes always get."""
    return uuid5(_NAMESPACE, hashlib.sha256(content).hexdigest())
