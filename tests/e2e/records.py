"""The record, read where no route shows it yet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.settings import load
from shared.storage.mongo import Database, connect
from tests.e2e.system import System
from worker.__main__ import FOREIGN_PREFIXES
from worker.settings import WorkerSettings


@asynccontextmanager
async def open_record(system: System) -> AsyncIterator[Database]:
    """The system's own database."""
    settings = load(WorkerSettings, system.settings, foreign_prefixes=FOREIGN_PREFIXES)
    async with connect(settings) as database:
        yield database
