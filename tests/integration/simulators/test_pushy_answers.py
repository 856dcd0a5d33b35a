"""Every documented answer of Pushy, over a real socket, as our adapter and API calls take it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import utc_now
from shared.providers.outcomes import Misconfigured, Outcome, Sent, Suspect
from shared.providers.pushy_api import PushReceipt, PushyApi, PushyFault
from shared.providers.registry import Adapters, create_pushy_api
from tests.integration.simulators.adapters import own_adapters, settings
from tests.integration.simulators.conftest import Running
from tests.unit.shared.providers.builders import (
    make_device,
    make_notification,
    make_pushy_credential,
)
from tests.unit.shared.providers.pushy_rows import ROWS, Row

CREDENTIAL = make_pushy_credential()
KEY = CREDENTIAL.api_key
DEVICE = make_device(provider="pushy", platform="android", token="token-1")
TOKENS_MAX = 100_000


@pytest.fixture(scope="module")
async def adapters(process: Running) -> AsyncIterator[Adapters]:
    async with own_adapters(process) as created:
        yield created


@pytest.fixture
async def pushy(simulators: Running) -> AsyncIterator[Running]:
    await simulators.put("/pushy/apps", {"api_key": KEY})
    yield simulators
    await simulators.put("/pushy/settings", {"pushes_per_minute": None, "retry_after": None})


@pytest.fixture
async def api(process: Running) -> AsyncIterator[PushyApi]:
    created = create_pushy_api(settings(process))
    yield created
    await created.aclose()


async def sent(adapters: Adapters, credential: Any = CREDENTIAL) -> Outcome:
    ends = utc_now() + timedelta(hours=1)
    notification = make_notification(notification_id=uuid4(), expires_at=ends)
    return await adapters.send("pushy", notification, DEVICE, credential)


def body(*tokens: str, **changes: Any) -> dict[str, Any]:
    return {"to": list(tokens), "data": {"message": "Hello"}} | changes


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_every_refusal_has_its_outcome(pushy: Running, adapters: Adapters, row: Row) -> None:
    action: dict[str, Any] = {"kind": "answer", "status": row.status, "headers": row.headers}
    action |= {"reason": row.code} if row.code else {"body": "<html>", "content_type": "text/html"}
    await pushy.post("/pushy/rules", {"action": action})

    assert await sent(adapters) == row.expected

    assert len(await pushy.entries("pushy")) == 1


async def test_what_pushy_finds_by_itself_has_its_outcome(
    pushy: Running, adapters: Adapters
) -> None:
    assert isinstance(await sent(adapters), Sent)
    wrong = make_pushy_credential(api_key="wrong")
    assert await sent(adapters, wrong) == Misconfigured("INVALID_API_KEY")
    await pushy.put("/pushy/devices/token-1", {"state": "unregistered"})
    assert await sent(adapters) == Suspect("NO_RECIPIENTS")
    await pushy.put("/pushy/devices/token-1", {"platform": "ios"})
    await pushy.put("/pushy/apps", {"api_key": KEY, "apns_configured": False})
    assert await sent(adapters) == Misconfigured("NO_APNS_AUTH")


async def test_a_push_to_the_most_tokens_names_each_that_failed(
    pushy: Running, api: PushyApi
) -> None:
    dead = [f"dead-{n:06}" for n in range(0, TOKENS_MAX, 3)]
    known = [f"token-{n:06}" for n in range(TOKENS_MAX - len(dead))]

    receipt = await api.push(KEY, body(*known, *dead))

    assert isinstance(receipt, PushReceipt)
    assert (receipt.device_count, set(receipt.failed)) == (len(known), set(dead))
    one_more = await api.push(KEY, body(*known, *dead, "one-more"))
    assert one_more == PushyFault("INVALID_PARAM", 400)
    assert (await pushy.get("/pushy/stats"))["accepted"] == len(known)


async def test_a_rate_limit_says_how_long_it_lasts(pushy: Running, api: PushyApi) -> None:
    await pushy.put("/pushy/settings", {"pushes_per_minute": 1, "retry_after": "42"})
    assert isinstance(await api.push(KEY, body("token-1")), PushReceipt)

    limited = await api.push(KEY, body("token-1"))

    assert limited == PushyFault("RATE_LIMIT_EXCEEDED", 429, retry_after_seconds=42.0)
