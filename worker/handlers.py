"""What each queue's messages mean: push pointers, suspects, webhook calls, the dead."""

import asyncio

from shared import ids
from shared.clock import Clock
from shared.domain.notifications import Lane
from shared.queue import topology
from shared.queue.messages import Pointer, PushMessage, decode_hook, decode_push, encode
from shared.queue.publisher import Publication
from shared.storage.dead_letters import DeadLetter, DeadLetterRepository
from worker.consumer import Handler, Incoming, Verdict
from worker.delivery import Spine
from worker.patience import stored
from worker.postponing import Postponer
from worker.receipt_lanes import ReceiptLanes

CHUNKS_AT_ONCE: dict[Lane, int] = {"hi": 1_000, "lo": 50}


class PushHandler:
    """Works on the pointers of a message, so many chunks of its queue at a time."""

    def __init__(self, spine: Spine, draining: asyncio.Event, lane: Lane) -> None:
        self._spine = spine
        self._draining = draining
        self._gate = asyncio.Semaphore(CHUNKS_AT_ONCE[lane])

    async def handle(self, incoming: Incoming) -> Verdict:
        message = decode_push(incoming.body)
        if message is None:
            return "unreadable"
        begun = await asyncio.gather(
            *(self._one(pointer, incoming.routing_key) for pointer in message.pointers),
            return_exceptions=True,
        )
        for result in begun:  # only now: each of them has come to its end
            if isinstance(result, BaseException):
                raise result
        return "done" if all(begun) else "not_begun"

    async def _one(self, pointer: Pointer, routing_key: str) -> bool:
        """False when the worker is leaving and did not begin."""
        async with self._gate:
            if self._draining.is_set():
                return False
            await self._spine.deliver(pointer, routing_key)
            return True


def hook_handler(lanes: ReceiptLanes) -> Handler:
    """Has what an app's webhook is to be told posted; the record knows what is left of that."""

    async def handle(incoming: Incoming) -> Verdict:
        message = decode_hook(incoming.body)
        if message is None:
            return "unreadable"
        lanes.ring(message.app_id)
        return "done"

    return handle


class DeadHandler:
    """Drains the dead-letter queue: what killed its consumers ends here, on the record."""

    RAW_BYTES_MAX = 65_536
    HELD_SECONDS = 10.0

    def __init__(
        self, spine: Spine, letters: DeadLetterRepository, postponer: Postponer, clock: Clock
    ) -> None:
        self._spine, self._letters = spine, letters
        self._postponer, self._clock = postponer, clock

    async def handle(self, incoming: Incoming) -> Verdict:
        message = decode_push(incoming.body)
        if message is None:
            await self._keep_raw(incoming)
            return "done"
        for pointer in message.pointers:
            if not await self._spine.bury(pointer, reason="poison"):
                await self._again(pointer, incoming.routing_key)
        return "done"

    async def _keep_raw(self, incoming: Incoming) -> None:
        letter = DeadLetter(
            dead_letter_id=ids.content_id(incoming.body),  # drained twice, it stands once
            reason="unreadable",
            died_at=self._clock(),
            raw=incoming.body[: self.RAW_BYTES_MAX],
        )
        await stored(lambda: self._letters.put([letter]))

    async def _again(self, pointer: Pointer, routing_key: str) -> None:
        """Somebody works on the chunk: look again when a lease would have run out."""
        body = encode(PushMessage((pointer,)))
        publication = Publication(exchange=topology.DEAD, routing_key=routing_key, body=body)
        await self._postponer.remember(publication, self.HELD_SECONDS)
