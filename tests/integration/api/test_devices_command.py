"""`fanfare devices` as a process of its own, against a real MongoDB."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.holds import Results
from shared.storage.apps import AppRepository
from shared.storage.devices import DeviceFilter, DeviceRepository, Registration
from shared.storage.holds import HoldRepository
from shared.storage.mongo import Database, connect
from shared.storage.schema import create_indexes
from tests.builders import an_app
from tests.front_door import KEY, settings_for
from tests.servers import Servers

SINCE = ("--since", "2020-01-01T00:00:00+02:00")


class Done(msgspec.Struct, frozen=True):
    """How the process ended."""

    status: int
    out: str
    err: str


class Operator:
    """Somebody with a shell, a database and an app of which devices were lost."""

    def __init__(self, database: Database, keyring: Keyring, environ: dict[str, str]) -> None:
        self.apps = AppRepository(database, keyring)
        self.devices = DeviceRepository(database, keyring, utc_now)
        self.holds = HoldRepository(database)
        self.environ, self.app_id = environ, uuid4()

    async def lose(self, count: int) -> None:
        for number in range(count):
            registration = Registration(
                user_id=uuid4(), platform="android", provider="fcm", token=f"token-{number}"
            )
            device_id = await self.devices.register(self.app_id, registration)
            device = await self.devices.get(self.app_id, device_id)
            assert device is not None
            assert await self.devices.deactivate(
                self.app_id,
                device_id,
                token_hash=device.token_hash,
                registered_before=utc_now(),
                reason="fcm:SENDER_ID_MISMATCH",
            )

    async def run(self, command: str, *arguments: str, app: object = None, **environ: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("fanfare"),
            *("devices", command, "--app", str(app or self.app_id), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environ | environ,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def active(self) -> int:
        return await self.devices.count(self.app_id, DeviceFilter())


@pytest.fixture(scope="module")
async def stage(servers: Servers) -> AsyncIterator[tuple[Database, Keyring, dict[str, str]]]:
    settings = settings_for(servers)
    plain = {key: value for key, value in os.environ.items() if not key.startswith("FANFARE_")}
    ours = {
        "FANFARE_MONGO_URL": settings.mongo_url,
        "FANFARE_MONGO_DATABASE": settings.mongo_database,
        "FANFARE_AMQP_URL": "amqp://127.0.0.1:1/",
        "FANFARE_ENCRYPTION_KEYS": f"k1:{KEY}",
        "FANFARE_HASH_KEY": KEY,
        "FANFARE_ISSUER_ENABLED": "true",
        "COLUMNS": "300",
    }
    async with connect(settings) as database:
        await create_indexes(database)
        yield database, Keyring.from_settings(settings), plain | ours
        await database.drop()


@pytest.fixture
async def operator(stage: tuple[Database, Keyring, dict[str, str]]) -> Operator:
    operator = Operator(*stage)
    await operator.apps.create(an_app(app_id=operator.app_id), b"hash")
    return operator


async def test_a_wave_is_looked_at_and_undone(operator: Operator) -> None:
    await operator.lose(3)

    dry = await operator.run("undo-deactivation", *SINCE, "--dry-run")
    assert (dry.status, await operator.active()) == (0, 0)
    assert dry.out.startswith("3 of 3 would be reactivated; 0 over the cap,")
    other = await operator.run("undo-deactivation", *SINCE, "--provider", "apns")
    assert other.out.startswith("0 of 0 reactivated;")
    done = await operator.run("undo-deactivation", *SINCE, "--json")

    assert (done.status, done.err, await operator.active()) == (0, "", 3)
    counts = {"over_cap": 0, "other_session": 0, "changed": 0}
    assert json.loads(done.out) == {"found": 3, "reactivated": 3} | counts
    again = await operator.run("undo-deactivation", *SINCE)
    assert (again.status, again.out[:20]) == (0, "0 of 0 reactivated; ")


async def test_what_lies_before_stays(operator: Operator) -> None:
    await operator.lose(1)

    done = await operator.run("undo-deactivation", "--since", utc_now().isoformat())

    assert done.out.startswith("0 of 0 reactivated;")
    assert await operator.active() == 0


async def test_a_hold_is_released_and_says_until_when(operator: Operator) -> None:
    dead = [UUID(int=number) for number in range(1, 51)]
    await operator.holds.judge(
        (operator.app_id, "fcm"), Results(fingerprint="f", dead=dead), utc_now()
    )

    nothing = await operator.run("release-hold", "--provider", "apns")
    assert (nothing.status, nothing.out) == (0, "nothing is held\n")
    assert (await operator.holds.get((operator.app_id, "fcm"))).is_held
    done = await operator.run("release-hold", "--hours", "2", "--json")

    (released,) = json.loads(done.out)
    assert (done.status, released["provider"]) == (0, "fcm")
    standing = await operator.holds.get((operator.app_id, "fcm"))
    assert (standing.is_held, standing.released_until is not None) == (False, True)
    assert (await operator.run("release-hold")).out == "nothing is held\n"


async def test_what_an_operator_can_put_right_ends_with_2(operator: Operator) -> None:
    ends = [
        await operator.run("undo-deactivation"),
        await operator.run("undo-deactivation", "--since", "2026-03-19T08:00:00"),
        await operator.run("undo-deactivation", "--since", "yesterday"),
        await operator.run("undo-deactivation", *SINCE, "--provider", "x"),
        await operator.run("undo-deactivation", *SINCE, app="x"),
        await operator.run("undo-deactivation", *SINCE, app=uuid4()),
        await operator.run("release-hold", app=uuid4()),
        await operator.run("release-hold", "--hours", "0"),
        await operator.run("release-hold", FANFARE_MONGO_URL="mongodb://127.0.0.1:1/"),
    ]

    assert [end.status for end in ends] == [2] * len(ends)
    assert not any("Traceback" in end.err for end in ends)
    assert "time zone" in ends[1].err
    assert "NoSuchApp" in ends[5].err


@pytest.mark.parametrize("command", ["undo-deactivation", "release-hold"])
async def test_help_has_an_example(operator: Operator, command: str) -> None:
    done = await operator.run(command, "--help")

    assert done.status == 0
    assert f"Example: fanfare devices {command} --app" in done.out
