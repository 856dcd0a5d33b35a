"""The example receivers that app teams copy: every receipt once, in order, whatever they missed."""

import ast
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deploy.local.ports import free_ports
from tests.e2e.tenant import Tenant
from tests.e2e.test_examples import EXAMPLES, Settings
from tests.eventually import eventually
from tests.node import node

LINES_MAX = 80


def require_library() -> None:
    """What `npm ci` in the folder of the examples installs."""
    if not (EXAMPLES / "node_modules/standardwebhooks/package.json").exists():
        pytest.skip("there is no standardwebhooks: `npm ci` in docs/examples installs it")


class Receiver:
    """An example as a process, which may be ended and started again."""

    def __init__(self, command: list[str], settings: Settings) -> None:
        self.command, self.settings = command, settings
        self.out: list[dict[str, Any]] = []
        self.process: asyncio.subprocess.Process | None = None
        self.reading: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['FANFARE_RECEIVER_PORT']}/"

    @property
    def seqs(self) -> list[int]:
        return [receipt["seq"] for receipt in self.out]

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            env={"PATH": os.environ["PATH"], **self.settings},
            stdout=asyncio.subprocess.PIPE,
        )
        self.reading = asyncio.create_task(self._read(self.process))
        await eventually(self._is_up, what="receiver")

    async def stop(self) -> None:
        if self.process is None or self.reading is None:
            return
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self.reading

    async def post(self, body: bytes, headers: dict[str, str]) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.post(self.url, content=body, headers=headers)).status_code

    async def has(self, count: int) -> None:
        async def look() -> bool | None:
            return len(self.out) >= count or None

        await eventually(look, within_seconds=40, what=f"{count} receipts")

    async def _is_up(self) -> bool | None:
        assert self.process is not None
        assert self.process.returncode is None
        try:
            return await self.post(b"{}", {}) == 400
        except httpx.TransportError:
            return None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.out.append(json.loads(line))


@pytest.fixture(params=["receiver.py", "receiver.mjs"])
async def receiver(
    request: pytest.FixtureRequest, tenant: Tenant, tmp_path: Path
) -> AsyncIterator[Receiver]:
    file = EXAMPLES / request.param
    if file.suffix == ".mjs":
        require_library()
    secret = await tenant.call("POST", f"/push/apps/{tenant.app_id}/secret", token=tenant.admin())
    receiver = Receiver(
        [sys.executable, str(file)] if file.suffix == ".py" else [node(), str(file)],
        {
            "FANFARE_URL": tenant.system.api_url,
            "FANFARE_APP_ID": tenant.app_id,
            "FANFARE_CLIENT_SECRET": secret["client_secret"],
            "FANFARE_WEBHOOK_SECRET": tenant.config["webhook_secret"],
            "FANFARE_RECEIVER_PORT": str(free_ports(1)[0]),
            "FANFARE_RECEIVER_STATE": str(tmp_path / "state"),
        },
    )
    yield receiver
    await receiver.stop()


async def set_webhook(tenant: Tenant, url: str | None) -> None:
    path = f"/push/config/{tenant.app_id}"
    await tenant.call("PATCH", path, token=tenant.admin(), body={"webhook_url": url})


async def send(tenant: Tenant, user_id: str, count: int) -> None:
    """So many pushes, whose receipts are on record."""
    for notification_id in [await tenant.send(user_id) for _ in range(count)]:
        await tenant.settled(notification_id)


async def recorded(tenant: Tenant, count: int) -> None:
    async def look() -> bool | None:
        page = await tenant.call("GET", "/push/receipts?limit=1", token=tenant.service())
        return page["newest_seq"] >= count or None

    await eventually(look, what=f"{count} receipts on record")


async def test_a_receiver_fills_a_gap(tenant: Tenant, receiver: Receiver) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    await receiver.start()
    await set_webhook(tenant, receiver.url)
    await send(tenant, user_id, 2)
    await receiver.has(2)
    await set_webhook(tenant, None)
    await send(tenant, user_id, 3)  # told to nobody
    await recorded(tenant, 5)
    await set_webhook(tenant, receiver.url)

    await send(tenant, user_id, 1)
    await receiver.has(6)

    assert receiver.seqs == [1, 2, 3, 4, 5, 6]
    assert len({receipt["id"] for receipt in receiver.out}) == 6


async def test_a_receiver_catches_up_when_it_starts(tenant: Tenant, receiver: Receiver) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    await set_webhook(tenant, receiver.url)
    await send(tenant, user_id, 3)  # while it is down
    await recorded(tenant, 3)
    await receiver.start()
    await receiver.has(3)
    await receiver.stop()
    await send(tenant, user_id, 2)
    await recorded(tenant, 5)

    await receiver.start()
    await receiver.has(5)

    assert receiver.seqs == [1, 2, 3, 4, 5]


async def test_a_receiver_handles_a_replay_once(tenant: Tenant, receiver: Receiver) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    await receiver.start()
    await set_webhook(tenant, receiver.url)
    await send(tenant, user_id, 2)
    await receiver.has(2)

    body = {"from_seq": 1, "to_seq": 2}
    replayed = await tenant.call("POST", "/push/receipts/replay", token=tenant.service(), body=body)
    await send(tenant, user_id, 1)
    await receiver.has(3)

    assert replayed["receipts"] == 2
    assert receiver.seqs == [1, 2, 3]


async def test_a_receiver_takes_a_test_event_and_no_forgery(
    tenant: Tenant, receiver: Receiver
) -> None:
    await receiver.start()
    await set_webhook(tenant, receiver.url)

    path = f"/push/config/{tenant.app_id}/webhook/test"
    tested = await tenant.call("POST", path, token=tenant.admin())
    forged = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,AAAA",
    }

    assert (tested["status"], tested["problem"]) == (204, None)
    assert await receiver.post(b'{"type":"push.receipts"}', forged) == 400
    assert receiver.out == []


@pytest.mark.parametrize("name", ["receiver.py", "receiver.mjs"])
def test_a_receiver_is_short(name: str) -> None:
    lines = (EXAMPLES / name).read_text().splitlines()

    assert len([line for line in lines if line.strip()]) <= LINES_MAX


def test_the_python_receiver_is_python_3_9() -> None:
    ast.parse((EXAMPLES / "receiver.py").read_text(), feature_version=(3, 9))
