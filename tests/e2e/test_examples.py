"""The example clients that app teams copy, as processes against the running system."""

import ast
import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.e2e.gateway import Fault, gateway
from tests.e2e.tenant import Tenant
from tests.node import node

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
RUN_SECONDS_MAX = 90
NOBODY = "00000000-0000-4000-8000-000000000000"
SECRET_NAMES = ("FANFARE_CLIENT_SECRET", "FANFARE_USER_TOKEN", "FANFARE_PUSH_TOKEN")
Settings = dict[str, str]


class Run(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(params=["client.py", "client.mjs"])
def command(request: pytest.FixtureRequest) -> list[str]:
    file = EXAMPLES / request.param
    if file.suffix == ".py":
        return [sys.executable, str(file)]
    return [node(), "--no-warnings", str(file)]  # Node 18 still calls its fetch experimental


@pytest.fixture
async def settings(tenant: Tenant) -> Settings:
    """What a team sets: a user of a new app, and the app's client secret."""
    path = f"/push/apps/{tenant.app_id}/secret"
    user_id = str(uuid4())
    return {
        "FANFARE_URL": tenant.system.api_url,
        "FANFARE_APP_ID": tenant.app_id,
        "FANFARE_CLIENT_SECRET": (await tenant.call("POST", path, token=tenant.admin()))[
            "client_secret"
        ],
        "FANFARE_USER_ID": user_id,
        "FANFARE_USER_TOKEN": tenant.user(user_id),
        "FANFARE_PUSH_TOKEN": await tenant.new_token("fcm"),
    }


async def run(command: list[str], settings: Settings) -> Run:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), RUN_SECONDS_MAX)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    done = Run(process.returncode, out.decode(), err.decode())
    assert [name for name in SECRET_NAMES if settings.get(name, "\0") in out.decode()] == []
    assert [name for name in SECRET_NAMES if settings.get(name, "\0") in err.decode()] == []
    return done


async def sent_once(tenant: Tenant, done: Run) -> None:
    """The client saw `sent`, and FCM saw one push and no other for this user's device."""
    assert (done.code, done.err) == (0, "")
    status = json.loads(done.out)
    assert status["status"] == "sent"
    assert [row["state"] for row in status["devices"]] == ["sent"]
    (entry,) = await tenant.seen("fcm", status["notification_id"])
    response = await tenant.simulators.get("/fcm/log", params={"limit": 200_000})
    devices = [row["device"] for row in response.json()["entries"] if row["accepted"]]
    assert devices.count(entry["device"]) == 1


async def test_an_example_sends_one_push(
    tenant: Tenant, command: list[str], settings: Settings
) -> None:
    done = await run(command, settings)

    await sent_once(tenant, done)


@pytest.mark.parametrize("fault", ["busy", "cut"])
async def test_an_example_repeats_a_send_that_failed_under_the_same_key(
    tenant: Tenant, command: list[str], settings: Settings, fault: Fault
) -> None:
    with gateway(tenant.system.api_url, fault) as between:
        done = await run(command, settings | {"FANFARE_URL": between.url})

    await sent_once(tenant, done)
    first, second = between.sends
    assert first == second
    assert first[0]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FANFARE_APP_ID", NOBODY, "POST /push/devices/register: 404 App not found"),
        ("FANFARE_PUSH_TOKEN", "x" * 5_000, "400 Validation failed; #/push_token: "),
        ("FANFARE_CLIENT_SECRET", "wrong-secret", "401 unknown client or wrong secret"),
    ],
)
async def test_an_example_tells_why_it_was_refused(
    command: list[str], settings: Settings, name: str, value: str, expected: str
) -> None:
    done = await run(command, settings | {name: value})

    assert (done.code, done.out) == (1, "")
    assert expected in done.err
    assert re.search(r"; trace_id [0-9a-f]{32}\n\Z", done.err)


async def test_an_example_names_what_is_not_set(command: list[str]) -> None:
    done = await run(command, {"FANFARE_URL": "http://127.0.0.1:1"})

    assert done.code == 1
    assert done.err == (
        "missing: FANFARE_APP_ID, FANFARE_CLIENT_SECRET, FANFARE_USER_ID, FANFARE_USER_TOKEN\n"
    )


def test_the_python_example_is_python_3_9() -> None:
    ast.parse((EXAMPLES / "client.py").read_text(), feature_version=(3, 9))
