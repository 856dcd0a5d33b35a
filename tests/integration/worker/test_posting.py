"""Posting to a webhook that misbehaves: over HTTP, with a clock that is moved by hand."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.apps import App, WebhookSecret
from shared.outbound.addresses import AddressPolicy
from shared.outbound.transport import Transport
from shared.queue.publisher import Publication, Publisher
from shared.storage.apps import AppRepository
from shared.storage.due import DueRepository
from shared.storage.mongo import Database, Document
from shared.storage.receipt_attempts import ReceiptAttemptRepository
from shared.storage.receipt_calls import ReceiptCallRepository
from shared.storage.receipts import ReceiptRepository
from shared.storage.webhooks import RENEWED, WebhookRepository
from tests.builders import APP_ID, a_receipt, an_app
from tests.eventually import eventually
from tests.simulators.journal import Entry
from tests.simulators.receiver import Endpoint, ReceiverSimulator
from tests.simulators.server import listen_plain
from worker.postponing import Postponer
from worker.receipt_answers import WAITS_SECONDS
from worker.receipt_book import ReceiptBook, build_body
from worker.receipt_lanes import CALLS_IN_FLIGHT_MAX, ReceiptLanes
from worker.receipt_poster import PostingRecords, ReceiptPoster

SECRET = "whsec_" + "a2V5" * 11


class Broker(Publisher):
    """Takes every bell; the test rings."""

    def __init__(self) -> None:
        super().__init__("amqp://127.0.0.1:1/", name="test")
        self.taken: list[Publication] = []

    async def publish_all(self, messages: Sequence[Publication]) -> list[bool]:
        self.taken += messages
        return [True] * len(messages)


class Stage:
    """One app, its endpoint, and any number of workers."""

    def __init__(
        self, database: Database, keyring: Keyring, receiver: ReceiverSimulator, port: int
    ) -> None:
        self.database, self.receiver = database, receiver
        self.now = utc_now()
        self.url = f"http://127.0.0.1:{port}/hooks/team"
        self.apps = AppRepository(database, keyring)
        self.calls = ReceiptCallRepository(database)
        self.transport = Transport(allow_http=True)
        self.workers = [self.worker()]

    def clock(self) -> datetime:
        return self.now

    def postponer(self) -> Postponer:
        due = DueRepository(self.database, self.clock)
        return Postponer(Broker(), due, self.clock, retry_levels=(5.0,), hook_levels=(5.0, 300.0))

    def worker(self) -> ReceiptLanes:
        records = PostingRecords(
            calls=self.calls,
            attempts=ReceiptAttemptRepository(self.database),
            webhooks=WebhookRepository(self.database),
        )
        poster = ReceiptPoster(
            records,
            transport=self.transport,
            addresses=AddressPolicy(allow_loopback=True),
            postponer=self.postponer(),
            clock=self.clock,
        )
        return ReceiptLanes(self.calls, self.apps, poster, self.clock)

    async def aclose(self) -> None:
        for worker in self.workers:
            await worker.aclose(5)
        await self.transport.aclose()

    def answer(self, status: int, times: int | None = None, **headers: str) -> None:
        self.receiver.rules.clear()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        action: Any = {"kind": "answer", "status": status, "headers": fields}
        self.receiver.rules.add({"action": action, "times": times})

    async def record(self, count: int = 1) -> None:
        """So many calls with one receipt each."""
        repository = ReceiptRepository(self.database, self.clock)
        for _ in range(count):
            await repository.append(APP_ID, [a_receipt(id=uuid4())], self.body, to_be_posted=True)

    def body(self, app_id: Any, receipts: Any) -> bytes:
        return build_body(app_id, receipts, self.now)

    def ring(self, worker: int = 0) -> None:
        self.workers[worker].ring(APP_ID)

    @property
    def entries(self) -> list[Entry]:
        return list(self.receiver.journal)

    async def seen(self, count: int) -> list[Entry]:
        async def look() -> list[Entry] | None:
            return self.entries if len(self.entries) >= count else None

        return await eventually(look, what=f"{count} calls")

    async def quiet(self, worker: int = 0) -> None:
        """Once nothing is under way."""
        lanes = self.workers[worker]

        async def look() -> bool:
            return not lanes._tasks

        await eventually(look)

    async def rows(self) -> list[Document]:
        return await self.database["receipts"].find({}, sort=[("first_seq", 1)])

    async def app(self) -> App:
        app = await self.apps.get(APP_ID)
        assert app is not None
        return app


@pytest.fixture
async def stage(database: Database, keyring: Keyring) -> AsyncIterator[Stage]:
    receiver = ReceiverSimulator()
    receiver.put_endpoint("team", Endpoint([SECRET]))
    listener = await listen_plain(receiver, "127.0.0.1", 0, label="receiver")
    stage = Stage(database, keyring, receiver, listener.port)
    secrets = (WebhookSecret(secret=SECRET),)
    await stage.apps.create(an_app(webhook_url=stage.url, webhook_secrets=secrets), b"hash")
    yield stage
    await stage.aclose()
    receiver.leave("reset")
    listener.server.close()


async def test_a_failing_call_keeps_to_its_schedule_with_the_same_bytes(stage: Stage) -> None:
    stage.answer(500)
    await stage.record()
    waits = []

    for attempt in range(1, 9):
        stage.ring()
        await stage.seen(attempt)
        await stage.quiet()
        (row,) = await stage.rows()
        assert row["attempts"] == attempt
        if row["next_attempt_at"] is not None:
            waits.append((row["next_attempt_at"] - stage.now).total_seconds())
            stage.now = row["next_attempt_at"] + timedelta(minutes=1)

    (row,) = await stage.rows()
    assert row["state"] == "abandoned"
    assert [round(w / n, 1) for w, n in zip(waits, WAITS_SECONDS, strict=True)] == [
        pytest.approx(1.0, abs=0.21) for _ in WAITS_SECONDS
    ]
    assert len({entry.payload for entry in stage.entries}) == 1
    assert len({dict(entry.headers)["webhook-id"] for entry in stage.entries}) == 1
    assert len({dict(entry.headers)["webhook-timestamp"] for entry in stage.entries}) == 8


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_that_nobody_follows(stage: Stage, status: int) -> None:
    stage.answer(status, location=f"{stage.url}2")
    await stage.record()

    stage.ring()
    await stage.seen(1)
    await stage.quiet()

    (row,) = await stage.rows()
    assert (row["state"], row["attempts"]) == ("pending", 1)
    assert [entry.path for entry in stage.entries] == ["/hooks/team"]


async def test_a_shut_endpoint_costs_its_calls_no_attempt(stage: Stage) -> None:
    stage.answer(500)
    await stage.record(40)

    for _ in range(20):
        stage.ring()
    await stage.quiet()
    for _ in range(20):
        stage.ring()
    await stage.quiet()

    made = len(stage.entries)
    assert 3 <= made <= 8
    assert sum(row["attempts"] for row in await stage.rows()) == made


async def test_what_was_put_off_goes_out_when_the_endpoint_is_back(stage: Stage) -> None:
    stage.answer(500)
    await stage.record(40)
    stage.ring()
    await stage.quiet()
    stage.receiver.rules.clear()
    stage.receiver.journal.clear()

    stage.now += timedelta(seconds=61)
    stage.ring()
    await stage.seen(40)
    await stage.quiet()

    rows = await stage.rows()
    assert {row["state"] for row in rows} == {"received"}
    assert len([row for row in rows if row["attempts"] == 1]) >= 32


@pytest.mark.parametrize("status", [429, 503, 500])
async def test_nothing_goes_out_before_the_time_that_was_asked_for(
    stage: Stage, status: int
) -> None:
    """Nor from another worker."""
    stage.answer(status, times=1, retry_after="90")
    await stage.record()
    stage.ring()
    await stage.seen(1)
    await stage.quiet()
    await stage.record(10)
    stage.workers.append(stage.worker())

    stage.now += timedelta(seconds=89)
    for worker in (0, 1):
        stage.ring(worker)
        await stage.quiet(worker)
    assert len(stage.entries) == 1

    stage.now += timedelta(seconds=1)
    stage.ring()
    await stage.seen(12)


async def test_gone_disables_at_once(stage: Stage) -> None:
    stage.answer(410)
    await stage.record(1)
    stage.ring()
    await stage.seen(1)
    await stage.quiet()
    await stage.record(5)

    stage.now += timedelta(seconds=2)
    stage.ring()
    await stage.quiet()

    app = await stage.app()
    assert app.webhook_disabled_reason == "gone"
    assert len(stage.entries) == 1
    assert {row["state"] for row in await stage.rows()} == {"unposted"}


async def test_five_days_of_nothing_but_failures_disable(stage: Stage) -> None:
    stage.answer(500)
    began_at = stage.now
    for day in (0.0, 2.0, 4.99):
        stage.now = began_at + timedelta(days=day)
        await stage.record()
        stage.ring()
        await stage.quiet()
        assert (await stage.app()).webhook_disabled_at is None

    stage.now = began_at + timedelta(days=5, seconds=1)
    await stage.record()
    stage.ring()
    await stage.quiet()

    app = await stage.app()
    assert (app.webhook_disabled_at, app.webhook_disabled_reason) == (stage.now, "failing")
    stage.now += timedelta(minutes=2)
    stage.ring()
    await stage.quiet()
    assert {row["state"] for row in await stage.rows()} == {"unposted"}


async def test_one_success_begins_the_five_days_anew(stage: Stage) -> None:
    stage.answer(500)
    stage.now -= timedelta(days=4)
    await stage.record()
    stage.ring()
    await stage.quiet()
    assert (await stage.app()).webhook_failing_since is not None

    stage.receiver.rules.clear()
    stage.now += timedelta(days=4)
    stage.ring()
    await stage.quiet()
    assert (await stage.app()).webhook_failing_since is None

    stage.answer(500)
    stage.now += timedelta(days=4)
    await stage.record()
    stage.ring()
    await stage.quiet()

    app = await stage.app()
    assert (app.webhook_failing_since, app.webhook_disabled_at) == (stage.now, None)


async def test_a_webhook_that_is_set_again_gets_what_comes_then(stage: Stage) -> None:
    stage.answer(410, times=1)
    await stage.record(3)
    stage.ring()
    await stage.quiet()
    stage.now += timedelta(seconds=2)
    stage.ring()
    await stage.quiet()
    made = len(stage.entries)

    await stage.apps.update(APP_ID, {"webhook_url": stage.url} | RENEWED)
    stage.now += timedelta(seconds=2)
    await stage.record(2)
    stage.ring()
    await stage.seen(made + 2)
    await stage.quiet()

    states = [row["state"] for row in await stage.rows()]
    assert states[3:] == ["received", "received"]
    assert "pending" not in states


async def test_two_workers_make_each_call_once(stage: Stage) -> None:
    await stage.record(40)
    stage.workers.append(stage.worker())

    for worker in (0, 1):
        stage.ring(worker)
    await stage.seen(40)
    for worker in (0, 1):
        await stage.quiet(worker)

    assert len(stage.entries) == 40
    assert {row["state"] for row in await stage.rows()} == {"received"}


async def test_attempts_are_in_the_log(stage: Stage) -> None:
    stage.answer(500, times=1)
    await stage.record()
    stage.ring()
    await stage.quiet()

    (attempt,) = await ReceiptAttemptRepository(stage.database).newest(APP_ID, limit=10)

    assert (attempt.attempt, attempt.status, attempt.problem) == (1, 500, "status 500")


async def test_a_disabled_webhook_has_its_receipts_recorded(stage: Stage) -> None:
    await stage.apps.update(APP_ID, {"webhook_disabled_at": stage.now})
    book = ReceiptBook(
        ReceiptRepository(stage.database, stage.clock), stage.postponer(), stage.clock
    )

    await book.tell(await stage.app(), [a_receipt()])

    (row,) = await stage.rows()
    assert (row["state"], row["first_seq"]) == ("unposted", 1)


async def test_a_410_of_an_old_address_is_not_said_of_the_new_one(stage: Stage) -> None:
    stage.receiver.put_endpoint("team2", Endpoint([SECRET]))
    request = stage.transport.request

    async def changed_meanwhile(*arguments: Any, **options: Any) -> Any:
        answer = await request(*arguments, **options)
        await stage.apps.update(APP_ID, {"webhook_url": f"{stage.url}2"} | RENEWED)
        return answer

    stage.transport.request = changed_meanwhile  # type: ignore[method-assign]
    stage.answer(410, times=1)
    await stage.record()

    stage.ring()
    await stage.seen(2)
    await stage.quiet()

    assert [entry.path for entry in stage.entries] == ["/hooks/team", "/hooks/team2"]
    assert [row["state"] for row in await stage.rows()] == ["received"]
    assert (await stage.app()).webhook_disabled_at is None


async def test_a_call_that_waited_for_a_slot_goes_to_the_address_of_now(stage: Stage) -> None:
    stage.receiver.put_endpoint("team2", Endpoint([SECRET]))
    gate = stage.workers[0]._gate
    for _ in range(CALLS_IN_FLIGHT_MAX):
        await gate.acquire()
    await stage.record()
    stage.ring()

    async def waits() -> bool:
        return bool(gate._waiters)

    await eventually(waits)
    assert [row.get("claimed_until") for row in await stage.rows()] == [None]
    await stage.apps.update(APP_ID, {"webhook_url": f"{stage.url}2"} | RENEWED)
    stage.now += timedelta(seconds=2)
    gate.release()
    await stage.seen(1)
    await stage.quiet()

    assert [entry.path for entry in stage.entries] == ["/hooks/team2"]


async def test_a_long_answer_keeps_its_retry_after(stage: Stage) -> None:
    action: Any = {
        "kind": "answer",
        "status": 503,
        "headers": {"retry-after": "3600"},
        "body": "x" * 20_000,
    }
    stage.receiver.rules.add({"action": action, "times": None})
    await stage.record()

    stage.ring()
    await stage.seen(1)
    await stage.quiet()

    assert (await stage.app()).webhook_paused_until == stage.now + timedelta(hours=1)
