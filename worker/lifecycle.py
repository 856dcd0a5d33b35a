"""A worker process from start to drained end."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from shared.logs import get_logger
from worker.consumer import Consumer
from worker.settings import WorkerSettings

Loop = Callable[[], Coroutine[Any, Any, None]]
_LAST_WORDS_SECONDS = 5.0
_SAID_AGAIN_SECONDS = 0.5

log = get_logger(__name__)


class Worker:
    """One process: what it consumes and what it does by itself."""

    def __init__(
        self, settings: WorkerSettings, consumer: Consumer, background: list[Loop]
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._background = background

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then drain."""
        consuming = asyncio.create_task(self._consumer.run())
        loops = [asyncio.create_task(loop()) for loop in self._background]
        ready = asyncio.create_task(self._announce())
        stopped = asyncio.create_task(stop.wait())
        try:
            ended, _ = await asyncio.wait(
                [stopped, consuming, *loops], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            log.info("worker.draining")
            await self._consumer.stop(self._settings.worker_drain_seconds)
            await asyncio.wait([consuming], timeout=_LAST_WORDS_SECONDS)
            await _end(ready, stopped, consuming, *loops)
            self._retract()
        for task in ended - {stopped}:
            task.result()  # a loop that ends by itself is a bug: let it be seen

    async def _announce(self) -> None:
        await self._consumer.consuming.wait()
        log.info("worker.ready")
        self._write_ready_file()

    def _write_ready_file(self) -> None:
        if self._settings.worker_ready_file is not None:
            Path(self._settings.worker_ready_file).write_text(f"{os.getpid()}\n", encoding="utf-8")

    def _retract(self) -> None:
        if self._settings.worker_ready_file is not None:
            Path(self._settings.worker_ready_file).unlink(missing_ok=True)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """PyMongo can lose a cancellation that meets an answer: it is said again until it is heard."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_SAID_AGAIN_SECONDS)
