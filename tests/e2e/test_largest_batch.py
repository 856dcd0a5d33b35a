"""The largest batch that the seed allows, in both spellings, at a real API process."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.figures import Figures
from tests.e2e.system import System
from tests.e2e.tenant import Tenant

WIDE = "\U0001f600"
ROWS = 500
MEMORY_BYTES_MAX = 134_217_728


def escaped(value: Any) -> str:
    """JSON with every character of every string as an escape, ASCII too."""
    match value:
        case dict():
            return "{" + ",".join(f"{escaped(k)}:{escaped(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(map(escaped, value)) + "]"
        case _:
            units = str(value).encode("utf-16-be").hex()
            return '"' + "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)) + '"'


def plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("spelled", [plain, escaped])
async def test_the_largest_batch_is_accepted_in_bounded_memory(
    system: System, tenant: Tenant, figures: Figures, spelled: Any
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    # Escaped, a character of one byte is spelled in six, one of four bytes in twelve.
    data = {"k": "x" * 4_088} if spelled is escaped else {"k": WIDE * 1_022}
    row = {"user_id": user_id, "title": WIDE * 256, "body": WIDE * 4_096, "data": data}
    body = spelled({"notifications": [row] * ROWS}).encode()
    before = peak_bytes(system, start_over=True)

    answer, alive = await asyncio.gather(
        tenant.api.post(
            "/push/send/batch",
            content=body,
            headers={
                "authorization": f"Bearer {tenant.service()}",
                "content-type": "application/json",
            },
            timeout=60,
        ),
        tenant.api.get("/livez"),
    )

    taken = peak_bytes(system) - before
    figures.note(f"memory for a batch of {len(body) / 1e6:.0f} MB, in MB", round(taken / 1e6))
    assert answer.status_code == httpx.codes.OK, answer.text[:300]
    assert len(set(answer.json()["notification_ids"])) == ROWS
    assert alive.status_code == httpx.codes.OK
    assert taken <= MEMORY_BYTES_MAX


def peak_bytes(system: System, *, start_over: bool = False) -> int:
    """The most that the API's process has held since it was started over (proc_pid_clear_refs)."""
    assert system.api
    process = Path(f"/proc/{system.api.pid}")
    if start_over:
        (process / "clear_refs").write_text("5")
    status = (process / "status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if "VmHWM" in line)
