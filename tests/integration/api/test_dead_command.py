"""`fanfare dead` as a process of its own, against a real MongoDB."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.storage.apps import AppRepository
from shared.storage.dead_letters import DeadLetter, DeadLetterRepository
from shared.storage.mongo import Database, connect
from shared.storage.schema import create_indexes
from tests.builders import a_dead_letter, an_app
from tests.front_door import KEY, settings_for
from tests.servers import Servers


class Done(msgspec.Struct, frozen=True):
    """How the process ended."""

    status: int
    out: str
    err: str


class Operator:
    """Somebody with a shell and a database, and an app of which deliveries have died."""

    def __init__(self, database: Database, environ: dict[str, str]) -> None:
        self.letters = DeadLetterRepository(database)
        self.environ, self.app_id = environ, uuid4()

    async def put(self, **changes: Any) -> str:
        letter = a_dead_letter(**{"app_id": self.app_id, "died_at": utc_now()} | changes)
        await self.letters.put([letter])
        return str(letter.dead_letter_id)

    async def run(self, *arguments: str, **environ: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("fanfare"),
            *("dead", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environ | environ,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def listed(self, *filters: str) -> list[str]:
        done = await self.run("list", "--app", str(self.app_id), "--json", *filters)
        assert (done.status, done.err) == (0, "")
        return [row["dead_letter_id"] for row in json.loads(done.out)["dead_letters"]]


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
    database, keyring, environ = stage
    operator = Operator(database, environ)
    await AppRepository(database, keyring).create(an_app(app_id=operator.app_id), b"hash")
    return operator


async def test_a_list_is_a_table_newest_first(operator: Operator) -> None:
    older = await operator.put(died_at=utc_now() - timedelta(hours=1), provider="apns")
    newer = await operator.put(reason="INVALID\x1b[2J\nARGUMENT")

    done = await operator.run("list", "--app", str(operator.app_id))

    heading, *rows = done.out.splitlines()
    assert (done.status, done.err) == (0, "")
    assert heading.split()[:5] == ["died_at", "provider", "reason", "attempts", "dead_letter_id"]
    assert [row.split()[1] for row in rows] == ["fcm", "apns"]
    assert [row.split()[4] for row in rows] == [newer, older]
    assert rows[0].split()[2] == "INVALID\ufffd[2J\ufffdARGUMENT"


async def test_a_list_is_filtered_as_the_apis(operator: Operator) -> None:
    older = await operator.put(died_at=utc_now() - timedelta(hours=2), provider="apns")
    newer = await operator.put(reason="poison")
    hour_ago = (utc_now() - timedelta(hours=1)).isoformat()

    assert await operator.listed() == [newer, older]
    assert await operator.listed("--provider", "apns") == [older]
    assert await operator.listed("--reason", "poison") == [newer]
    assert await operator.listed("--since", hour_ago) == [newer]
    assert await operator.listed("--until", hour_ago, "--provider", "fcm") == []


async def test_a_list_goes_on_at_its_cursor(operator: Operator) -> None:
    made = [await operator.put(died_at=utc_now() - timedelta(hours=n)) for n in range(3)]
    app = ("--app", str(operator.app_id), "--limit", "2")

    first = await operator.run("list", *app)
    cursor = first.err.split()[-1]

    assert [row.split()[4] for row in first.out.splitlines()[1:]] == made[:2]
    assert UUID(cursor) == UUID(made[1])
    assert await operator.listed("--cursor", cursor) == made[2:]


async def test_a_list_of_all_apps_has_what_cannot_be_read(operator: Operator) -> None:
    letter = DeadLetter(
        dead_letter_id=uuid4(), reason="unreadable", died_at=utc_now(), raw=b"secret"
    )
    await operator.letters.put([letter])

    done = await operator.run("list", "--reason", "unreadable")
    shown = await operator.run("show", str(letter.dead_letter_id))

    assert str(letter.dead_letter_id) in done.out
    assert "secret" not in done.out + shown.out
    assert "message_bytes    6" in shown.out
    assert (await operator.run("list", "--app", str(operator.app_id))).out == "no dead letters\n"


async def test_one_letter_is_shown_as_lines_or_as_the_api_answers(operator: Operator) -> None:
    dead_letter_id = await operator.put()

    lines = (await operator.run("show", dead_letter_id)).out.splitlines()
    found = json.loads((await operator.run("show", dead_letter_id, "--json")).out)

    assert dict(line.split(maxsplit=1) for line in lines)["dead_letter_id"] == dead_letter_id
    assert found["app_id"] == str(operator.app_id)
    assert found["delivery"] is None


async def test_letters_are_discarded_by_filter_or_id(operator: Operator) -> None:
    kept, by_id, other = [await operator.put() for _ in range(3)]
    poison = await operator.put(reason="poison")
    app = ("--app", str(operator.app_id))

    dry = await operator.run("discard", *app, "--reason", "poison", "--dry-run")
    assert (dry.out, dry.err) == ("1 would be discarded\n", "")
    assert poison in await operator.listed()
    by_filter = await operator.run("discard", *app, "--reason", "poison")
    by_ids = await operator.run("discard", by_id, other, str(uuid4()), "--json")

    assert by_filter.out == "1 were discarded\n"
    assert json.loads(by_ids.out) == {"discarded": 2, "has_more": False}
    assert await operator.listed() == [kept]
    assert (await operator.run("discard", *app)).out == "1 were discarded\n"


async def test_everything_is_discarded_only_when_that_is_said(operator: Operator) -> None:
    ids = {await operator.put()}

    nothing = await operator.run("discard")
    both = await operator.run("discard", "--all", "--app", str(operator.app_id))

    assert (nothing.status, both.status) == (2, 2)
    assert set(await operator.listed()) == ids
    assert (await operator.run("discard", "--all")).status == 0
    assert await operator.listed() == []


async def test_what_an_operator_can_put_right_ends_with_2(operator: Operator) -> None:
    ends = [
        await operator.run("list", "--app", str(uuid4())),
        await operator.run("list", "--app", "x"),
        await operator.run("list", "--provider", "x"),
        await operator.run("list", "--since", "2026-03-19T08:00:00"),
        await operator.run("list", "--since", "0001-01-01T00:00:00+14:00"),
        await operator.run("list", "--limit", "0"),
        await operator.run("show"),
        await operator.run("show", "x"),
        await operator.run("show", str(uuid4())),
        await operator.run("discard", "x"),
        await operator.run("list", FANFARE_MONGO_URL="mongodb://127.0.0.1:1/"),
    ]

    assert [end.status for end in ends] == [2] * len(ends)
    assert not any("Traceback" in end.err for end in ends)
    assert "NoSuchApp" in ends[0].err
    assert "NoSuchDeadLetter" in ends[8].err


@pytest.mark.parametrize("command", ["list", "show", "discard"])
async def test_help_has_an_example(operator: Operator, command: str) -> None:
    done = await operator.run(command, "--help")

    assert done.status == 0
    assert f"Example: fanfare dead {command} " in done.out
