"""Every documented answer of the push services, over a real socket, as our adapter takes it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import utc_now
from shared.crypto.vapid import SLOT_SECONDS, generate_keys
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.outbound.rotation import RotatingTransport
from shared.outbound.transport import Transport
from shared.providers.outcomes import Misconfigured, Outcome, Rejected, Sent, Suspect, Unregistered
from shared.providers.registry import Adapters
from shared.providers.webpush import WebPushAdapter
from tests.integration.simulators.adapters import own_adapters
from tests.integration.simulators.conftest import Running
from tests.unit.shared.providers.builders import (
    make_device,
    make_notification,
    make_webpush_credential,
)
from tests.unit.shared.providers.webpush_rows import ROWS, Row, Vendor

CREDENTIAL = make_webpush_credential()


@pytest.fixture(scope="module")
async def adapters(process: Running) -> AsyncIterator[Adapters]:
    async with own_adapters(process) as created:
        yield created


async def subscribe(running: Running, vendor: Vendor, **changes: Any) -> Device:
    wanted = {"personality": vendor, "application_server_key": CREDENTIAL.vapid_public_key}
    made = await running.post("/webpush/subscriptions", wanted | changes)
    token = json.dumps(made["subscription"])
    return make_device(provider="webpush", platform="web", token=token, device_id=uuid4())


def notification(**changes: Any) -> Notification:
    ends = {"expires_at": utc_now() + timedelta(hours=1)}
    return make_notification(**{"notification_id": uuid4()} | ends | changes)


async def sent(adapters: Adapters, device: Device, credential: Any = CREDENTIAL) -> Outcome:
    return await adapters.send("webpush", notification(), device, credential)


def endpoint_id(device: Device) -> str:
    return str(json.loads(device.token)["endpoint"]).rpartition("/")[2]


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_every_answer_has_its_outcome(
    simulators: Running, adapters: Adapters, row: Row
) -> None:
    device = await subscribe(simulators, row.vendor)
    action = {"kind": "answer", "status": row.status, "reason": row.word, "headers": row.headers}
    await simulators.post("/webpush/rules", {"action": action, "times": None})

    outcome = await sent(adapters, device)

    if isinstance(row.expected, Sent):
        assert isinstance(outcome, Sent)
        assert outcome.provider_message_id
    else:
        assert outcome == row.expected
    assert 1 <= len(await simulators.entries("webpush")) <= (2 if row.status in {401, 403} else 1)


@pytest.mark.parametrize(
    ("vendor", "state", "expected"),
    [
        ("rfc", "unregistered", Unregistered("http_410")),
        ("mozilla", "unregistered", Unregistered("mozilla_103")),
        ("apple", "unregistered", Unregistered("http_410")),
        ("google", "unregistered", Unregistered("http_410")),
        ("wns", "unregistered", Unregistered("http_410")),
        ("rfc", "bad", Unregistered("http_404")),
        ("mozilla", "bad", Unregistered("mozilla_102")),
        ("apple", "bad", Suspect("BadPath")),
        ("google", "bad", Unregistered("http_404")),
        ("wns", "bad", Unregistered("http_404")),
    ],
)
async def test_a_subscription_that_is_gone_is_told_by_each_service(
    simulators: Running, adapters: Adapters, vendor: Vendor, state: str, expected: Outcome
) -> None:
    device = await subscribe(simulators, vendor)
    await simulators.put(f"/webpush/devices/{endpoint_id(device)}", {"state": state})

    assert await sent(adapters, device) == expected


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [
        ("rfc", Suspect("http_403")),
        ("mozilla", Misconfigured("mozilla_109")),
        ("apple", Suspect("VapidPkHashMismatch")),
        ("google", Suspect("http_403")),
        ("wns", Suspect("http_403")),
    ],
)
async def test_another_key_s_subscription_never_looks_dead(
    simulators: Running, adapters: Adapters, vendor: Vendor, expected: Outcome
) -> None:
    other = generate_keys().public_key
    device = await subscribe(simulators, vendor, application_server_key=other)

    assert await sent(adapters, device) == expected


async def test_apple_takes_no_contact_that_is_none(simulators: Running, adapters: Adapters) -> None:
    device = await subscribe(simulators, "apple")
    credential = make_webpush_credential(
        subject="mailto:ops@localhost",
        vapid_private_key=CREDENTIAL.vapid_private_key,
        vapid_public_key=CREDENTIAL.vapid_public_key,
    )

    assert await sent(adapters, device, credential) == Misconfigured("BadJwtToken")


async def test_a_moved_endpoint_is_not_followed(simulators: Running, adapters: Adapters) -> None:
    device, other = await subscribe(simulators, "mozilla"), await subscribe(simulators, "mozilla")
    there = json.loads(other.token)["endpoint"]
    action = {"kind": "answer", "status": 301, "headers": {"location": there}}
    await simulators.post("/webpush/rules", {"action": action})

    assert await sent(adapters, device) == Rejected("http_301")

    assert [entry["device"] for entry in await simulators.entries("webpush")] == [
        endpoint_id(device)
    ]


@pytest.mark.parametrize("vendor", ["rfc", "mozilla", "apple", "google", "wns"])
async def test_many_pushes_share_a_header_and_nothing_else(
    simulators: Running, adapters: Adapters, vendor: Vendor
) -> None:
    devices = [await subscribe(simulators, vendor) for _ in range(5)]

    outcomes = await asyncio.gather(*(sent(adapters, device) for device in devices * 20))

    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    stats = await simulators.get("/webpush/stats")
    assert (stats["accepted"], stats["distinct_salts"], stats["distinct_sender_keys"]) == (
        (100,) * 3
    )
    assert (stats["distinct_vapid_headers"], stats["hasty_vapid_refreshes"]) == (1, 0)


async def test_a_refused_signature_is_replaced_once(simulators: Running) -> None:
    now = utc_now().timestamp()
    slot = datetime.fromtimestamp(now - now % SLOT_SECONDS, UTC)
    adapter = WebPushAdapter(
        RotatingTransport(partial(Transport, ca_file=str(simulators.certificates.ca_file))),
        allowed_hosts=(),
        clock=lambda: slot + timedelta(hours=2),  # old enough for another, whenever this runs
        timeout_seconds=10,
        is_local=True,
    )
    device = await subscribe(simulators, "mozilla")
    await simulators.post("/webpush/rules", {"action": {"kind": "answer", "status": 401}})

    outcome = await adapter.send(notification(), device, CREDENTIAL)
    await adapter.aclose()

    assert isinstance(outcome, Sent)
    entries = await simulators.entries("webpush")
    assert [entry["answer"]["status"] for entry in entries] == [401, 201]
    refused, taken = (entry["request"]["headers"]["authorization"] for entry in entries)
    assert refused != taken
