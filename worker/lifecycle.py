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
        tasks = [asyncio.create_task(loop()) for loop in [self._consumer.run, *self._background]]
        ready = asyncio.create_task(self._announce())
        try:
            stopped = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()  # a loop that ends by itself is a bug: let it be seen
            log.info("worker.draining")
            await self._consumer.stop(self._settings.worker_drain_seconds)
            await asyncio.wait([tasks[0]], timeout=_LAST_WORDS_SECONDS)
        finally:
            for task in [ready, *tasks]:
                task.cancel()
            await asyncio.gather(ready, *tasks, return_exceptions=True)
            self._retract()

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
