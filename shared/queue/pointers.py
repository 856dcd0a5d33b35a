"""Publishing pointers to chunks: which exchange and routing key, packed into lists."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from shared.domain.notifications import Lane
from shared.queue import topology
from shared.queue.messages import Pointer, PushMessage, encode, lists_of
from shared.queue.publisher import Publication


class Routed(msgspec.Struct, frozen=True):
    """A pointer with the provider and lane whose queue it belongs to."""

    pointer: Pointer
    provider: str
    lane: Lane


def publications(routed: Iterable[Routed], *, exchange: str = topology.WORK) -> list[Publication]:
    """Messages for pointers: up to 50 of one provider and lane in each."""
    by_key: dict[str, list[Pointer]] = defaultdict(list)
    for item in routed:
        by_key[topology.work_key(item.provider, item.lane)].append(item.pointer)
    return [
        Publication(exchange=exchange, routing_key=key, body=encode(message))
        for key, pointers in by_key.items()
        for message in lists_of(pointers)
    ]


def single(pointer: Pointer, routing_key: str) -> Publication:
    """A message of one pointer."""
    return Publication(
        exchange=topology.WORK, routing_key=routing_key, body=encode(PushMessage((pointer,)))
    )
