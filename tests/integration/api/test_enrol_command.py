"""`fanfare enrol` as a process of its own, against a real MongoDB."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from shared.crypto.keyring import Keyring
from shared.storage.apps import AppRepository
from shared.storage.mongo import Database, connect
from shared.storage.schema import create_indexes
from tests.builders import an_app
from tests.eventually import eventually
from tests.front_door import KEY, settings_for
from tests.servers import Servers


class Done(msgspec.Struct, frozen=True):
    """How the process ended."""

    status: int
    out: str
    err: str


class Operator:
    """Somebody with a shell, a database and an app."""

    def __init__(self, database: Database, environ: dict[str, str], app_id: UUID) -> None:
        self.database, self.environ, self.app_id = database, environ, app_id

    async def enrol(
        self, *arguments: str | Path, text: str = "", app_id: object = None, **environ: str
    ) -> Done:
        process = await self.started(*arguments, app_id=app_id, **environ)
        out, err = await process.communicate(text.encode())
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def started(
        self, *arguments: str | Path, app_id: object = None, **environ: str
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("fanfare"),
            *("enrol", *arguments, "--app", str(app_id or self.app_id)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environ | environ,
        )

    async def enrolled(self) -> set[UUID]:
        rows = await self.database["enrolments"].find({"app_id": self.app_id})
        return {row["user_id"] for row in rows}


@pytest.fixture(scope="module")
async def operator(servers: Servers) -> AsyncIterator[Operator]:
    settings = settings_for(servers)
    plain = {key: value for key, value in os.environ.items() if not key.startswith("FANFARE_")}
    ours = {
        "FANFARE_MONGO_URL": settings.mongo_url,
        "FANFARE_MONGO_DATABASE": settings.mongo_database,
        "FANFARE_AMQP_URL": "amqp://127.0.0.1:1/",
        "FANFARE_ENCRYPTION_KEYS": f"k1:{KEY}",
        "FANFARE_HASH_KEY": KEY,
        "FANFARE_ISSUER_ENABLED": "true",
    }
    async with connect(settings) as database:
        await create_indexes(database)
        app_id = uuid4()
        apps = AppRepository(database, Keyring.from_settings(settings))
        await apps.create(an_app(app_id=app_id), b"hash")
        yield Operator(database, plain | ours, app_id)
        await database.drop()


async def test_a_file_of_any_lines_is_enrolled(operator: Operator, tmp_path: Path) -> None:
    users = [uuid4() for _ in range(2_500)]
    shapes = ['{{"user_id": "{0}"}}', '"{0}"', "{0}", "{0.hex}\r", "\n{0}"]
    lines = [shapes[i % len(shapes)].format(user) for i, user in enumerate(users)]
    file = tmp_path / "users"
    file.write_text("user_id\n" + "\n".join(lines))

    done = await operator.enrol(file)

    assert (done.status, done.err) == (0, "")
    assert done.out == "2500 enrolled, 0 refused, 3001 lines\n"
    assert set(users) <= await operator.enrolled()


async def test_bad_lines_are_shown_with_their_numbers(operator: Operator) -> None:
    user_id = uuid4()
    bad = "".join(f"bad {n}\n" for n in range(30))

    done = await operator.enrol("-", text=f'{user_id}\n{{"user_id": 5}}\n{bad}')

    assert done.status == 1
    assert done.out == "1 enrolled, 31 refused, 32 lines\n"
    shown = done.err.splitlines()
    assert shown[:2] == ["line 2: user_id: Expected `uuid`, got `int`", "line 3: Invalid UUID"]
    assert len(shown) == 20
    assert user_id in await operator.enrolled()


async def test_a_summary_is_for_machines(operator: Operator) -> None:
    done = await operator.enrol("-", "--json", text=f"{uuid4()}\nx\n")

    assert done.status == 1
    assert json.loads(done.out) == {
        "done": True,
        "lines": 2,
        "enrolled": 1,
        "failed": 1,
        "faults": [{"line": 2, "error": {"pointer": "#", "detail": "Invalid UUID"}}],
    }


async def test_nothing_to_enrol_is_no_failure(operator: Operator) -> None:
    done = await operator.enrol("-")
    assert (done.status, done.out) == (0, "0 enrolled, 0 refused, 0 lines\n")


async def test_what_an_operator_can_put_right_ends_with_2(
    operator: Operator, tmp_path: Path
) -> None:
    missing = await operator.enrol(tmp_path / "missing", COLUMNS="300")
    folder = await operator.enrol(tmp_path)
    no_app = await operator.enrol("-", app_id=uuid4())
    no_id = await operator.enrol("-", app_id="x")
    no_settings = await operator.enrol("-", FANFARE_HASH_KEY="x")
    no_server = await operator.enrol("-", FANFARE_MONGO_URL="mongodb://127.0.0.1:1/")

    ends = [missing, folder, no_app, no_id, no_settings, no_server]
    assert [end.status for end in ends] == [2] * 6
    assert not any("Traceback" in end.err for end in ends)
    assert "No such file" in missing.err
    assert "NoSuchApp" in no_app.err
    assert "StorageUnavailable" in no_server.err


async def test_an_interrupt_ends_it_at_once_and_quietly(operator: Operator) -> None:
    process = await operator.started("-")
    assert process.stdin
    process.stdin.write("".join(f"{uuid4()}\n" for _ in range(1_000)).encode())
    before = len(await operator.enrolled())

    async def has_begun() -> bool:
        return len(await operator.enrolled()) > before

    await eventually(has_begun, what="the first batch")
    process.send_signal(signal.SIGINT)

    status = await asyncio.wait_for(process.wait(), 10)

    assert process.stderr
    assert status not in (0, 1, 2)
    assert b"Traceback" not in await process.stderr.read()
    process.stdin.close()


async def test_help_has_an_example(operator: Operator) -> None:
    done = await operator.enrol("--help")
    assert done.status == 0
    assert "fanfare enrol users.ndjson --app" in done.out


async def test_an_end_in_the_middle_tells_where_to_go_on(operator: Operator) -> None:
    app_id = uuid4()
    apps = operator.database["apps"]
    await apps.insert_one({"_id": app_id})
    process = await operator.started("-", app_id=app_id)
    assert process.stdin
    process.stdin.write("".join(f"{uuid4()}\n" for _ in range(1_000)).encode())

    async def is_written() -> bool:
        return await operator.database["enrolments"].count({"app_id": app_id}) == 1_000

    await eventually(is_written, what="the first batch")
    await apps.delete_one({"_id": app_id})

    out, err = await process.communicate(f"{uuid4()}\n".encode())

    assert process.returncode == 2
    assert out.decode() == "1000 enrolled, 0 refused, 1000 lines\n"
    assert err.decode() == "fanfare: App not found; go on behind line 1000\n"
