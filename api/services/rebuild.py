"""Filling the queue again from the record, after a broker has lost its disk."""

from collections.abc import Callable

from shared.queue.messages import ANY_ATTEMPT, Pointer
from shared.queue.pointers import Routed, publications
from shared.queue.publisher import Publisher
from shared.storage.chunks import ChunkRef, ChunkRepository

_PAGE = 1_000


class QueueNotRefilled(Exception):
    """The broker did not confirm everything: run it again, what is there twice does no harm."""


async def rebuild(
    chunks: ChunkRepository, publisher: Publisher, report: Callable[[int], None]
) -> int:
    """Publish a pointer to every chunk that is not done.

    Args:
        chunks: the record.
        publisher: connected to the broker that is to be filled.
        report: called after each page with how many chunks have been published.

    Returns:
        How many chunks there were.

    Raises:
        QueueNotRefilled: a message was not confirmed.
    """
    after, count = None, 0
    while refs := await chunks.unfinished(after=after, limit=_PAGE):
        confirmed = await publisher.publish_all(publications(map(_routed, refs)))
        if not all(confirmed):
            raise QueueNotRefilled(f"after {count} chunks")
        after, count = refs[-1].chunk_id, count + len(refs)
        report(count)
    return count


def _routed(ref: ChunkRef) -> Routed:
    return Routed(Pointer(chunk_id=ref.chunk_id, attempt=ANY_ATTEMPT), ref.provider, ref.lane)
