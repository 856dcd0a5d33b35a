"""What waits at the Web Push simulator for a browser that is away, sent with pywebpush."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid

from shared.providers.webpush_encryption import encrypt, read_receiver
from tests.eventually import eventually
from tests.integration.simulators.conftest import Running
from tests.integration.simulators.test_webpush import push, subscribe, vapid
from tests.simulators.webpush_crypto import decode_base64url

__all__ = ["vapid"]

Made = dict[str, Any]


@pytest.fixture
async def service(simulators: Running) -> AsyncIterator[Running]:
    yield simulators
    await simulators.put("/webpush/settings", {"time_scale": 1.0, "ttl_seconds_max": 2_592_000})


@pytest.fixture
async def away(service: Running, vapid: Vapid) -> Made:
    made = await subscribe(service, vapid)
    await service.put(f"/webpush/devices/{made['id']}", {"presence": "offline"})
    return made


@pytest.fixture
async def browser(service: Running) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.create_default_context(cafile=str(service.certificates.ca_file))
    async with httpx.AsyncClient(verify=context) as client:
        yield client


async def sent(service: Running, vapid: Vapid, made: Made, **changes: Any) -> str:
    """The message's address."""
    answer = await push(service, vapid, made, **changes)
    assert answer.status_code == 201
    return str(answer.headers["location"])


async def fates(service: Running) -> dict[str, int]:
    return dict((await service.get("/webpush/stats"))["messages"])


async def test_a_message_waits_for_a_browser_that_is_away(
    service: Running, vapid: Vapid, away: Made, browser: httpx.AsyncClient
) -> None:
    location = await sent(service, vapid, away, headers={"urgency": "low", "topic": "news"})

    waiting = await browser.get(location)
    await service.put(f"/webpush/devices/{away['id']}", {"presence": "online"})
    later = await browser.get(location)

    assert (waiting.status_code, later.status_code) == (200, 404)
    assert (waiting.headers["urgency"], waiting.headers["topic"]) == ("low", "news")
    assert len(waiting.content) > 86
    assert await fates(service) == {"stored": 1, "delivered_later": 1}


async def test_a_topic_replaces_what_waits_with_it(
    service: Running, vapid: Vapid, away: Made, browser: httpx.AsyncClient
) -> None:
    topics = ["news", None, "news"]
    locations = [
        await sent(service, vapid, away, headers={"topic": topic} if topic else {})
        for topic in topics
    ]

    statuses = [(await browser.get(location)).status_code for location in locations]

    assert statuses == [404, 200, 200]
    assert (await fates(service))["replaced"] == 1


async def test_a_message_waits_until_its_time_to_live_is_over(
    service: Running, vapid: Vapid, away: Made, browser: httpx.AsyncClient
) -> None:
    await service.put("/webpush/settings", {"time_scale": 100.0, "ttl_seconds_max": 50})
    location = await sent(service, vapid, away, ttl=3_600)  # shortened to 50, so half a second

    async def is_over() -> bool:
        return (await browser.get(location)).status_code == 404

    await eventually(is_over, what="the end of the time to live")
    assert await fates(service) == {"stored": 1, "expired": 1}


async def test_now_or_never_is_never_for_a_browser_that_is_away(
    service: Running, vapid: Vapid, away: Made, browser: httpx.AsyncClient
) -> None:
    location = await sent(service, vapid, away, ttl=0)

    assert (await browser.get(location)).status_code == 404
    assert await fates(service) == {"dropped": 1}


async def test_a_message_can_be_taken_back(
    service: Running, vapid: Vapid, away: Made, browser: httpx.AsyncClient
) -> None:
    location = await sent(service, vapid, away)

    taken_back = [(await browser.delete(location)).status_code for _ in range(2)]

    assert taken_back == [204, 404]
    assert (await browser.put(location)).status_code == 405
    assert await fates(service) == {"stored": 1, "cancelled": 1}


async def test_one_key_for_body_and_signature_is_refused(
    service: Running, vapid: Vapid, browser: httpx.AsyncClient
) -> None:
    made = await subscribe(service, vapid)
    keys = made["subscription"]["keys"]
    endpoint = made["subscription"]["endpoint"]
    receiver = read_receiver(*(decode_base64url(keys[name]) for name in ("p256dh", "auth")))
    header = signed(vapid, service)

    statuses = []
    for sender in (vapid.private_key, ec.generate_private_key(ec.SECP256R1())):
        body = encrypt(b"{}", receiver, sender=sender)
        headers = {"ttl": "60", "content-encoding": "aes128gcm", "authorization": header}
        statuses.append((await browser.post(endpoint, content=body, headers=headers)).status_code)

    assert statuses == [400, 201]
    assert (await service.get("/webpush/stats"))["by_reason"] == {"same_keys": 1}


@pytest.mark.parametrize(("time_scale", "expected"), [(1.0, 1), (1e9, 0)])
async def test_a_header_refreshed_within_the_hour_is_counted(
    service: Running, vapid: Vapid, time_scale: float, expected: int
) -> None:
    await service.put("/webpush/settings", {"time_scale": time_scale})
    made = await subscribe(service, vapid, personality="apple")

    for _ in range(2):  # pywebpush signs each push anew
        assert (await push(service, vapid, made)).status_code == 201

    stats = await service.get("/webpush/stats")
    assert list(stats["vapid_headers_by_origin"].values()) == [2]
    assert stats["hasty_vapid_refreshes"] == expected


def signed(vapid: Vapid, service: Running) -> str:
    claims = {"sub": "mailto:ops@example.com", "aud": service.urls["webpush_url"]}
    return str(vapid.sign(claims)["Authorization"])
