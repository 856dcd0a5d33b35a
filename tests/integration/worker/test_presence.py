"""Presence sweeps: page by page, one process at a time, and only what Pushy says for sure."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from shared.crypto.keyring import Keyring
from shared.domain.credentials import PushyCredential
from shared.outbound.interface import NotSent, Response
from shared.providers.pushy_api import PRESENCE_TOKENS_MAX, PushyApi
from shared.storage.credentials import CredentialRepository
from shared.storage.devices import DeviceRepository, Registration
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import Database, StorageUnavailable
from shared.storage.sessions import SessionRepository
from tests.builders import NOW
from tests.eventually import eventually
from tests.unit.shared.providers.fake_http import FakeHttp, json_response
from worker import presence
from worker.presence import PresenceSweep


class Pushy(FakeHttp):
    """Knows what became of devices, by their tokens; everyone else is there."""

    def __init__(self, gone: Mapping[str, str]) -> None:
        super().__init__()
        self.gone = gone
        self.asked: list[list[str]] = []
        self.keys: list[str] = []
        self.refuses: set[str] = set()

    async def request(self, method: str, url: str, *rest: Any, **_: Any) -> Response:
        del method
        self.keys.append(url.partition("api_key=")[2])
        if self.keys[-1] in self.refuses:
            raise NotSent("away")
        self.asked.append(msgspec.json.decode(rest[1])["tokens"])
        rows = [
            {"id": t} | ({self.gone[t]: True} if t in self.gone else {}) for t in self.asked[-1]
        ]
        return json_response(200, {"presence": rows})


class Swept:
    """A database with devices, and Pushy's word on them."""

    def __init__(self, database: Database, keyring: Keyring, pushy: Pushy) -> None:
        self.database, self.pushy = database, pushy
        self.devices = DeviceRepository(database, keyring, lambda: NOW)
        self.sessions = SessionRepository(database, self.devices)
        self.credentials = CredentialRepository(database, keyring, lambda: NOW)
        self.leases = LeaseRepository(database)

    async def app(self, *tokens: str, key: str = "key") -> UUID:
        """An app with a key of Pushy's and devices, each of a user of its own."""
        app_id = uuid4()
        await self.credentials.put(app_id, "pushy", PushyCredential(api_key=key))
        for start in range(0, len(tokens), 500):
            rows = [self._row(app_id, token) for token in tokens[start : start + 500]]
            await self.database["devices"].insert_many(rows)
        return app_id

    def _row(self, app_id: UUID, token: str) -> dict[str, Any]:
        registration = Registration(
            user_id=uuid4(), platform="android", provider="pushy", token=token
        )
        change = self.devices.registered(app_id, registration)
        row: dict[str, Any] = change["$set"] | change["$setOnInsert"]
        return row | self.devices.key_of(app_id, registration)

    def sweep(self, every_seconds: int = 3_600) -> PresenceSweep:
        return PresenceSweep(
            self.leases,
            self.credentials,
            self.sessions,
            pushy=PushyApi(self.pushy, base_url="https://pushy.test", timeout_seconds=1),
            clock=lambda: NOW,
            every_seconds=every_seconds,
        )

    async def reasons(self, app_id: UUID) -> dict[str, int]:
        """Why an app's devices were deactivated, and how many for each reason."""
        rows = await self.database["devices"].find({"app_id": app_id, "active": False})
        found = [str(row["deactivated_reason"]) for row in rows]
        return {reason: found.count(reason) for reason in set(found)}


@pytest.fixture
def swept(database: Database, keyring: Keyring) -> Swept:
    return Swept(database, keyring, Pushy({}))


async def test_who_is_gone_is_deactivated_and_nobody_else(swept: Swept) -> None:
    swept.pushy.gone = {"a": "uninstalled", "b": "unsubscribed", "x": "uninstalled"}
    app_id = await swept.app("a", "b", "c")
    fcm = Registration(user_id=uuid4(), platform="android", provider="fcm", token="x")
    await swept.devices.register(app_id, fcm)

    await swept.sweep().sweep()

    assert [sorted(page) for page in swept.pushy.asked] == [["a", "b", "c"]]
    assert await swept.reasons(app_id) == {"pushy:uninstalled": 1, "pushy:unsubscribed": 1}


async def test_all_devices_are_asked_about_once_in_pages_of_a_thousand(swept: Swept) -> None:
    tokens = [f"token-{number}" for number in range(2_300)]
    swept.pushy.gone = dict.fromkeys(tokens[::2], "uninstalled")
    app_id = await swept.app(*tokens)

    await swept.sweep().sweep()

    assert [len(page) for page in swept.pushy.asked] == [PRESENCE_TOKENS_MAX] * 2 + [300]
    assert sorted(chain(*swept.pushy.asked)) == sorted(tokens)
    assert await swept.reasons(app_id) == {"pushy:uninstalled": 1_150}


async def test_who_registered_since_the_question_stays(swept: Swept) -> None:
    swept.pushy.gone = {"a": "uninstalled"}
    app_id = await swept.app("a")
    later = {"$set": {"registered_at": NOW + timedelta(milliseconds=1)}}
    await swept.database["devices"].update_one({"app_id": app_id}, later)

    await swept.sweep().sweep()

    assert await swept.reasons(app_id) == {}


async def test_whom_pushy_does_not_know_stays(swept: Swept) -> None:
    """It says the same when the key is another app's."""
    app_id = await swept.app("a")
    http = FakeHttp(json_response(404, {"code": "NO_RESULTS"}))
    sweep = swept.sweep()
    sweep._pushy = PushyApi(http, base_url="https://pushy.test", timeout_seconds=1)

    await sweep.sweep()

    assert (len(http.requests), await swept.reasons(app_id)) == (1, {})


async def test_an_app_that_pushy_refuses_keeps_no_other_one_back(swept: Swept) -> None:
    swept.pushy.gone = dict.fromkeys(["a", "b"], "uninstalled")
    swept.pushy.refuses = {"broken"}
    apps = [await swept.app("a", key=key) for key in ("broken", "good", "broken", "good")]

    await swept.sweep().sweep()

    told = [await swept.reasons(app_id) for app_id in apps]
    assert sorted(told, key=str) == [{"pushy:uninstalled": 1}] * 2 + [{}] * 2
    assert sorted(swept.pushy.keys) == ["broken", "broken", "good", "good"]


async def test_an_app_whose_key_does_not_open_keeps_no_other_one_back(swept: Swept) -> None:
    swept.pushy.gone = {"a": "uninstalled"}
    apps = [await swept.app("a") for _ in range(3)]
    for broken in apps[:2]:
        row = {"_id": f"{broken}:pushy"}
        await swept.database["credentials"].update_one(row, {"$set": {"sealed": b"broken"}})

    await swept.sweep().sweep()

    told = [await swept.reasons(app_id) for app_id in apps]
    assert told == [{}, {}, {"pushy:uninstalled": 1}]


async def test_devices_of_other_providers_are_not_looked_through(swept: Swept) -> None:
    app_id = await swept.app("a", "b")
    others = [swept._row(app_id, f"fcm-{n}") | {"provider": "fcm"} for n in range(500)]
    await swept.database["devices"].insert_many(others)

    query = {"app_id": app_id, "active": True, "provider": "pushy"}
    plan = await swept.database["devices"]._raw.find(query).sort("_id", 1).limit(1_000).explain()

    assert plan["executionStats"]["totalDocsExamined"] == 2
    assert [device.token for device in await swept.sessions.page(app_id, after=None, limit=9)]


async def test_a_token_that_does_not_open_is_passed_over(swept: Swept) -> None:
    app_id = await swept.app("a")
    await swept.database["devices"].update_one({"app_id": app_id}, {"$set": {"token": b"broken"}})

    await swept.sweep().sweep()

    assert swept.pushy.asked == []


class Looks(LeaseRepository):
    """Counts how often somebody looked whether it is time; fails at first when told to."""

    def __init__(self, database: Database, failures: int = 0) -> None:
        super().__init__(database)
        self.count, self.failures = 0, failures

    async def acquire(self, role: str, owner: str, *, seconds: int) -> bool:
        self.count += 1
        if self.count <= self.failures:
            raise StorageUnavailable
        return await super().acquire(role, owner, seconds=seconds)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "LOOK_SECONDS", 0.01)


async def run_until_swept(swept: Swept, looks: Looks, *sweeps: PresenceSweep) -> None:
    """Let them run until one has swept, and all have looked often enough to sweep again."""

    async def is_over() -> bool:
        return looks.count > 4 * len(sweeps) and bool(swept.pushy.asked)

    running = [asyncio.create_task(sweep.run()) for sweep in sweeps]
    try:
        await eventually(is_over, what="a sweep")
    finally:
        await end(*running)


async def end(*tasks: asyncio.Task[None]) -> None:
    """PyMongo loses a cancellation that meets an answer: it is said again until it is heard."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.1)


@pytest.mark.usefixtures("often")
async def test_one_process_of_several_sweeps_once_in_a_while(swept: Swept) -> None:
    swept.leases = looks = Looks(swept.database)
    await swept.app("a")

    await run_until_swept(swept, looks, *(swept.sweep() for _ in range(3)))

    assert swept.pushy.asked == [["a"]]


@pytest.mark.usefixtures("often")
async def test_it_sweeps_again_when_it_is_time(swept: Swept) -> None:
    swept.leases = looks = Looks(swept.database)
    await swept.app("a")
    running = asyncio.create_task(swept.sweep(every_seconds=1).run())

    async def twice() -> bool:
        return len(swept.pushy.asked) >= 2

    try:
        await eventually(twice, what="two sweeps")
    finally:
        await end(running)
    assert looks.count > 2


@pytest.mark.usefixtures("often")
async def test_it_goes_on_after_an_outage(swept: Swept) -> None:
    swept.leases = looks = Looks(swept.database, failures=2)
    await swept.app("a")

    await run_until_swept(swept, looks, swept.sweep())

    assert swept.pushy.asked == [["a"]]
