"""The webhook receiver as a sender sees it that signs with the public library."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.integration.simulators.conftest import Running

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
async def hooks(simulators: Running) -> AsyncIterator[httpx.AsyncClient]:
    await simulators.put("/receiver/endpoints/team", {"secrets": [SECRET]})
    async with httpx.AsyncClient(base_url=simulators.urls["receiver_url"]) as client:
        yield client


def event(*receipts: dict[str, Any]) -> str:
    data = {"app_id": "app-1", "receipts": list(receipts)}
    return json.dumps({"type": "push.receipts", "timestamp": "2026-03-19T08:00:00Z", "data": data})


def receipt(seq: int) -> dict[str, Any]:
    return {"id": f"r-{seq}", "seq": seq, "notification_id": f"n-{seq}", "state": "sent"}


async def call(
    hooks: httpx.AsyncClient, body: str, webhook_id: str = "w-1", age: timedelta = timedelta()
) -> int:
    at = datetime.now(UTC) - age
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(webhook_id, at, body),
    }
    return (await hooks.post("/hooks/team", content=body, headers=headers)).status_code


async def test_a_signed_call_is_verified(hooks: httpx.AsyncClient, simulators: Running) -> None:
    assert await call(hooks, event(receipt(1), receipt(2))) == 204

    [entry] = await simulators.entries("receiver")
    assert (entry["verified"], entry["webhook_id"], entry["accepted"]) == (True, "w-1", True)
    found = await simulators.get("/receiver/receipts?notification_id=n-2")
    assert [(row["id"], row["copies"]) for row in found["receipts"]] == [("r-2", 1)]
    assert len((await simulators.get("/receiver/seen?notification_id=n-2"))["entries"]) == 1


async def test_a_changed_byte_is_refused(hooks: httpx.AsyncClient, simulators: Running) -> None:
    at, body = datetime.now(UTC), event(receipt(1))
    signature = Webhook(SECRET).sign("w-1", at, body)
    headers = {"webhook-id": "w-1", "webhook-timestamp": str(int(at.timestamp()))}
    headers["webhook-signature"] = signature

    changed = body.replace("sent", "Sent")
    response = await hooks.post("/hooks/team", content=changed, headers=headers)

    assert response.status_code == 401
    [entry] = await simulators.entries("receiver")
    assert (entry["verified"], entry["accepted"]) == (False, False)
    assert (await simulators.get("/receiver/receipts"))["receipts"] == []


async def test_an_old_call_is_refused(hooks: httpx.AsyncClient) -> None:
    assert await call(hooks, event(receipt(1)), age=timedelta(minutes=6)) == 401


@pytest.mark.parametrize("signature", ["", "v1", "v1,!", "v2,abc", "v1,AAAA v1,BBBB"])
async def test_a_malformed_signature_is_refused(hooks: httpx.AsyncClient, signature: str) -> None:
    headers = {"webhook-id": "w", "webhook-timestamp": str(int(datetime.now(UTC).timestamp()))}
    headers["webhook-signature"] = signature

    response = await hooks.post("/hooks/team", content=event(), headers=headers)

    assert response.status_code == 401


async def test_copies_and_holes_are_counted(hooks: httpx.AsyncClient, simulators: Running) -> None:
    await call(hooks, event(receipt(1), receipt(2)), "w-1")
    await call(hooks, event(receipt(1), receipt(2)), "w-1")
    await call(hooks, event(receipt(5)), "w-2")

    stats = await simulators.get("/receiver/stats")

    assert (stats["calls"], stats["verified"]) == (3, 3)
    assert (stats["receipts"], stats["distinct_receipts"]) == (5, 3)
    assert stats["seq_gaps"] == {"app-1": [[3, 4]]}


async def test_waiting_for_receipts_ends_when_they_are_there(
    hooks: httpx.AsyncClient, simulators: Running
) -> None:
    await call(hooks, event(receipt(1)))

    there = await simulators.admin.post("/receiver/wait", json={"receipts": 1, "timeout": 5})
    late = await simulators.admin.post("/receiver/wait", json={"receipts": 2, "timeout": 0.01})

    assert (there.status_code, late.status_code) == (200, 408)
    assert late.json() == {"receipts": 1}
