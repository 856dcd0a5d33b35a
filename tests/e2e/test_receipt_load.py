"""A busy healthy webhook beside many that hang: it is not late, and nothing grows.

The suite's run is short; `RECEIPT_RATE` and `RECEIPT_SECONDS` make it a long one.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from deploy.local.services import Worker
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.apps import App
from shared.domain.receipts import Receipt
from shared.queue.publisher import Publisher
from shared.settings import CommonSettings, load
from shared.storage.apps import AppRepository
from shared.storage.due import DueRepository
from shared.storage.mongo import Database, connect
from shared.storage.receipts import ReceiptRepository
from tests.builders import a_receipt
from tests.e2e.figures import Figures
from tests.e2e.system import System
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually
from worker.postponing import Postponer
from worker.receipt_book import ReceiptBook

RATE = int(os.environ.get("RECEIPT_RATE", "400"))  # receipts a second, healthy
SECONDS = int(os.environ.get("RECEIPT_SECONDS", "8"))
HANGING = 20
HANGING_RATE = 5  # receipts a second of each
PER_CHUNK = 10
GROWTH_MEGABYTES_MAX = 30.0
MEDIAN_SECONDS_MAX = 1.0
P99_SECONDS_MAX = 5.0  # on a machine that does other things, too
_CALLS_PER_PAGE = 200


@dataclass
class Source:
    """Tells receipts as a delivering worker does."""

    book: ReceiptBook
    apps: AppRepository
    database: Database
    told: dict[UUID, int] = field(default_factory=dict)
    held: list[float] = field(default_factory=list)  # seconds until a chunk could be acked

    async def tell(self, app_id: UUID, *, rate: int, seconds: float, size: int = PER_CHUNK) -> None:
        """So many a second, in chunks, each of which is acked when it is recorded."""
        app = await self.apps.get(app_id)
        assert app is not None
        loop, telling = asyncio.get_running_loop(), set()
        size = min(size, rate)
        begun = loop.time()
        for number in range(int(rate * seconds / size)):
            await asyncio.sleep(begun + number * size / rate - loop.time())
            chunk = [
                a_receipt(id=uuid4(), notification_id=uuid4(), occurred_at=utc_now())
                for _ in range(size)
            ]
            task = asyncio.create_task(self._tell(app, chunk))
            telling.add(task)
            self.told[app_id] = self.told.get(app_id, 0) + size
        await asyncio.gather(*telling)

    async def _tell(self, app: App, chunk: list[Receipt]) -> None:
        begun = time.monotonic()
        await self.book.tell(app, chunk)
        self.held.append(time.monotonic() - begun)

    async def pending(self, app_id: UUID) -> int:
        return await self.database["receipts"].count({"app_id": app_id, "state": "pending"})


@asynccontextmanager
async def source(system: System) -> AsyncIterator[Source]:
    settings = load(
        CommonSettings, system.settings, foreign_prefixes=("API_", "ISSUER_", "WORKER_")
    )
    publisher = Publisher(settings.amqp_url, name="test")
    async with connect(settings) as database:
        postponer = Postponer(
            publisher,
            DueRepository(database, utc_now),
            utc_now,
            retry_levels=settings.retry_levels_seconds,
            hook_levels=settings.hook_levels_seconds,
        )
        book = ReceiptBook(ReceiptRepository(database, utc_now), postponer, utc_now)
        try:
            yield Source(book, AppRepository(database, Keyring.from_settings(settings)), database)
        finally:
            await publisher.aclose()


def resident_megabytes(worker: Worker) -> float:
    status = Path(f"/proc/{worker.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def calls_of(tenant: Tenant) -> list[tuple[float, Json]]:
    """When each verified call came, and its body."""
    found, after = [], 0
    while True:
        query = {"after": after, "limit": _CALLS_PER_PAGE}
        page = (await tenant.simulators.get("/receiver/log", params=query)).json()
        found += [
            (e["at"], e["request"]["payload"])
            for e in page["entries"]
            if e["device"] == tenant.hook and e["accepted"]
        ]
        if not page["entries"]:
            return found
        after = page["next"]


def lateness(calls: list[tuple[float, Json]]) -> list[float]:
    """Seconds from what happened to when it was told, for each receipt."""
    return sorted(
        at - msgspec.convert(receipt["occurred_at"], datetime).timestamp()
        for at, body in calls
        for receipt in body["data"]["receipts"]
    )


@pytest.fixture
async def hanging(
    system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient
) -> AsyncIterator[list[Tenant]]:
    tenants = [Tenant(system, api, simulators) for _ in range(HANGING)]
    for tenant in tenants:
        await tenant.set_up(providers=())
        await tenant.script("receiver", {"kind": "hang"}, match={"device": tenant.hook}, times=None)
    yield tenants
    for tenant in tenants:
        await tenant.end_scripts()
        change: Any = {"webhook_url": None}
        path = f"/push/config/{tenant.app_id}"
        await tenant.call("PATCH", path, token=tenant.admin(), body=change)


async def test_a_busy_webhook_is_not_late_beside_many_that_hang(
    system: System, tenant: Tenant, hanging: list[Tenant], figures: Figures
) -> None:
    healthy = UUID(tenant.app_id)
    (worker,) = [w for w in system.workers if w.is_running][-1:]
    async with source(system) as told:
        stuck = asyncio.gather(
            *(told.tell(UUID(t.app_id), rate=HANGING_RATE, seconds=SECONDS) for t in hanging)
        )
        await told.tell(healthy, rate=RATE, seconds=SECONDS / 4)
        before = resident_megabytes(worker)
        await told.tell(healthy, rate=RATE, seconds=SECONDS * 3 / 4)
        left = await told.pending(healthy)
        await stuck
        grown = resident_megabytes(worker) - before

        async def all_came() -> list[tuple[float, Json]] | None:
            calls = await calls_of(tenant)
            return calls if len(lateness(calls)) >= told.told[healthy] else None

        calls = await eventually(all_came, what="every receipt")
        waiting = sum([await told.pending(UUID(t.app_id)) for t in hanging])

    late = lateness(calls)
    numbers = sorted(r["seq"] for _, body in calls for r in body["data"]["receipts"])
    p99 = late[int(len(late) * 0.99)]
    figures.note(
        "receipts beside 20 hanging webhooks",
        f"{len(late)} at {RATE}/s in {len(calls)} calls; late by median "
        f"{statistics.median(late):.3f} s, p99 {p99:.3f} s, most {late[-1]:.3f} s; "
        f"calls left at the end {left}, {waiting} of those that hang; grown by {grown:.1f} MB; "
        f"acks held for {statistics.median(told.held):.3f} s, at most {max(told.held):.3f} s",
    )
    assert numbers == list(range(1, told.told[healthy] + 1))
    assert len(calls) <= len(late) / 10
    assert statistics.median(late) < MEDIAN_SECONDS_MAX
    assert p99 < P99_SECONDS_MAX
    assert grown < GROWTH_MEGABYTES_MAX


async def test_a_lone_receipt_is_posted_at_once(
    system: System, tenant: Tenant, figures: Figures
) -> None:
    async with source(system) as told:
        await told.tell(UUID(tenant.app_id), rate=4, seconds=1.25, size=1)

        async def all_came() -> list[tuple[float, Json]] | None:
            calls = await calls_of(tenant)
            return calls if len(calls) == 5 else None

        late = lateness(await eventually(all_came))

    figures.note("a lone receipt", f"late by median {statistics.median(late):.3f} s")
    assert statistics.median(late) < 0.1
