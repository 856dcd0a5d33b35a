"""What travels in the queue: pointers to the record, never content or a token."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

POINTERS_PER_MESSAGE_MAX = 50
ANY_ATTEMPT = 0


class Pointer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chunk to work on.

    `attempt` is the attempt that this pointer asks for, counted from 1; deliveries of the chunk
    that are further on are left alone. ANY_ATTEMPT asks for whatever is due, and for a new pointer
    to what is not due yet. `indexes` None means all of the chunk.
    """

    chunk_id: UUID = msgspec.field(name="c")
    attempt: int = msgspec.field(name="a", default=1)
    indexes: tuple[int, ...] | None = msgspec.field(name="i", default=None)


class PushMessage(msgspec.Struct, frozen=True, tag_field="v", tag="push.1"):
    """Up to 50 pointers for one provider and lane."""

    pointers: tuple[Pointer, ...]


class HookMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag="hook.1"):
    """A bell: calls of `app_id` are due, lately the one whose first receipt is `first_seq`."""

    app_id: UUID
    first_seq: int
    attempt: int = 1


_push_decoder = msgspec.json.Decoder(PushMessage)
_hook_decoder = msgspec.json.Decoder(HookMessage)


def encode(message: PushMessage | HookMessage) -> bytes:
    return msgspec.json.encode(message)


def decode_push(body: bytes) -> PushMessage | None:
    """The message, or None when this is not one that we can read."""
    try:
        return _push_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_hook(body: bytes) -> HookMessage | None:
    """The message, or None when this is not one that we can read."""
    try:
        return _hook_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def lists_of(pointers: Iterable[Pointer]) -> list[PushMessage]:
    """Pack pointers, of one provider and lane, into as few messages as may be."""
    all_pointers = tuple(pointers)
    return [
        PushMessage(all_pointers[start : start + POINTERS_PER_MESSAGE_MAX])
        for start in range(0, len(all_pointers), POINTERS_PER_MESSAGE_MAX)
    ]
