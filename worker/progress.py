"""Progress of deliveries on its way to the record, written in groups."""

from collections.abc import Sequence

from shared.batcher import Batcher
from shared.storage.chunks import ChunkRepository, DeliveryProgress
from worker.patience import stored

_OUTCOMES_PER_WRITE_MAX = 500


class ProgressWriter:
    """One write in flight; what settles meanwhile goes with the next one."""

    def __init__(self, chunks: ChunkRepository) -> None:
        self._chunks = chunks
        self._writing: Batcher[DeliveryProgress, None] = Batcher(
            self._write, max_batch=_OUTCOMES_PER_WRITE_MAX
        )

    async def write(self, progress: DeliveryProgress) -> None:
        """Return once the progress is majority-committed."""
        await self._writing.submit(progress)

    async def aclose(self, timeout_seconds: float) -> None:
        """Give what is on its way the time to get there."""
        await self._writing.aclose(timeout_seconds)

    async def _write(self, rows: Sequence[DeliveryProgress]) -> Sequence[None]:
        await stored(lambda: self._chunks.record(rows))
        return [None] * len(rows)
