"""`python -m worker`: consume until SIGTERM, then drain; a second signal leaves at once."""

import asyncio
import os
import signal
import sys

import uvloop

from shared.logs import configure, get_logger
from shared.outbound.turns import take_short_turns
from shared.queue.connection import TopologyWrong
from shared.settings import SettingsError, load
from shared.storage.keys import WrongKeyRing
from worker.app import create_worker
from worker.settings import WorkerSettings

FOREIGN_PREFIXES = ("API_", "ISSUER_", "LOCAL_")
_LEFT_IN_A_HURRY = 1

log = get_logger(__name__)


def main() -> None:
    try:
        settings = load(WorkerSettings, os.environ, foreign_prefixes=FOREIGN_PREFIXES)
    except SettingsError as error:
        sys.exit(f"fanfare worker: {error}")
    configure(settings.log_level, settings.log_format)
    take_short_turns()
    try:
        uvloop.run(work(settings))
    except (TopologyWrong, WrongKeyRing) as error:
        sys.exit(f"fanfare worker: {error}")


async def work(settings: WorkerSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_leave, stop)
    async with create_worker(settings) as worker:
        await worker.run(stop)
    log.info("worker.stopped")


def _stop_or_leave(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(_LEFT_IN_A_HURRY)  # asked twice: what is in flight is delivered again later
    stop.set()


if __name__ == "__main__":
    main()
