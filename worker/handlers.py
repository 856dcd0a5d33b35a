"""What each queue's messages mean: push pointers, suspects, webhook calls, the dead."""

import asyncio

from shared import ids
from shared.clock import Clock
from shared.domain.notifications import Lane
from shared.logs import get_logger
from shared.queue import topology
from shared.queue.messages import Pointer, PushMessage, decode_hook, decode_push, encode
from shared.queue.publisher import Publication
from shared.storage.dead_letters import DeadLetter, DeadLetterRepository
from worker.consumer import Handler, Incoming, Verdict
from worker.delivery import Spine
from worker.patience import stored
from worker.postponing import Postponer
from worker.receipts import ReceiptPoster

ISOLATE_AFTER_DELIVERIES = 3
CHUNKS_AT_ONCE: dict[Lane, int] = {"hi": 1_000, "lo": 50}

log = get_logger(__name__)


class PushHandler:
    """Works on the pointers of a message; a message that keeps failing is taken apart."""

    def __init__(self, spine: Spine, postponer: Postponer, lane: Lane) -> None:
        self._spine = spine
        self._postponer = postponer
        self._gate = asyncio.Semaphore(CHUNKS_AT_ONCE[lane])

    async def handle(self, incoming: Incoming) -> Verdict:
        message = decode_push(incoming.body)
        if message is None:
            return "unreadable"
        if incoming.deliveries >= ISOLATE_AFTER_DELIVERIES:
            await self._isolate(message)
        else:
            await self.deliver(message, redelivered=incoming.redelivered)
        return "done"

    async def handle_suspect(self, incoming: Incoming) -> Verdict:
        """The same for one isolated pointer: it has no neighbours left to take along."""
        message = decode_push(incoming.body)
        if message is None:
            return "unreadable"
        await self.deliver(message, redelivered=True)
        return "done"

    async def deliver(self, message: PushMessage, *, redelivered: bool) -> None:
        """Work on all pointers; only then raise what one of them raised."""
        results = await asyncio.gather(
            *(self._one(pointer, redelivered) for pointer in message.pointers),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _one(self, pointer: Pointer, redelivered: bool) -> None:
        async with self._gate:
            await self._spine.deliver(pointer, redelivered=redelivered)

    async def _isolate(self, message: PushMessage) -> None:
        log.warning("message.isolated", pointers=len(message.pointers))
        singles = [PushMessage((pointer,)) for pointer in message.pointers]
        await self._postponer.send(
            [
                Publication(
                    exchange=topology.WORK,
                    routing_key=topology.SUSPECT_KEY,
                    body=encode(single),
                )
                for single in singles
            ]
        )


def hook_handler(poster: ReceiptPoster) -> Handler:
    """Makes the webhook call that a message names."""

    async def handle(incoming: Incoming) -> Verdict:
        message = decode_hook(incoming.body)
        if message is None:
            return "unreadable"
        await poster.post(message)
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
