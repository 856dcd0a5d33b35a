"""Dead letters through the front door: who sees which, page by page, and what one tells."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared import ids
from shared.clock import utc_now
from shared.domain.deliveries import Progress
from shared.storage.chunks import ChunkRepository, DeliveryProgress
from shared.storage.dead_letters import DeadLetter, DeadLetterRepository
from tests.builders import a_dead_letter
from tests.front_door import Api, Caller
from tests.integration.api.tenant import Body, Tenant, a_tenant, pointers

LIST = "/push/dead-letters"


@pytest.fixture
async def tenant(api: Api) -> Tenant:
    return await a_tenant(api)


def admin(tenant: Tenant) -> Caller:
    return tenant.api.user(tenant.app_id, roles=["admin"])


async def put(tenant: Tenant, **changes: Any) -> str:
    """The id of a dead letter, put there as a worker does it."""
    letter = a_dead_letter(**{"app_id": tenant.app_id, "died_at": utc_now()} | changes)
    await DeadLetterRepository(tenant.api.database).put([letter])
    return str(letter.dead_letter_id)


async def put_unreadable(api: Api, raw: bytes = b"\x00secret") -> str:
    letter = DeadLetter(dead_letter_id=uuid4(), reason="unreadable", died_at=utc_now(), raw=raw)
    await DeadLetterRepository(api.database).put([letter])
    return str(letter.dead_letter_id)


def listed(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["dead_letter_id"] for row in answer.json()["dead_letters"]]


async def everything(caller: Caller, query: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        answer = await caller.get(f"{LIST}?{query}{cursor}")
        found += listed(answer)
        if "next_cursor" not in answer.json():
            return found
        cursor = f"&cursor={answer.json()['next_cursor']}"


async def rejected(tenant: Tenant, text: str) -> tuple[str, str]:
    """A notification that a provider rejected, and its dead letter."""
    await tenant.register(push_token=f"token-{text}")
    notification_id = await tenant.sent(title=f"title-{text}", body=f"body-{text}")
    chunks, send_id = ChunkRepository(tenant.api.database), ids.send_id_of(UUID(notification_id))
    (chunk,) = await chunks.of_send(tenant.app_id, send_id)
    progress = Progress("rejected", "INVALID_ARGUMENT", 2, None, utc_now(), is_dead_letter=True)
    await chunks.record([DeliveryProgress("w", chunk.chunk_id, 0, progress)])
    dead_letter_id = await put(
        tenant,
        dead_letter_id=ids.receipt_id(chunk.chunk_id, 0),
        notification_id=UUID(notification_id),
        device_id=chunk.targets[0].device_id,
        chunk_id=chunk.chunk_id,
        reason="INVALID_ARGUMENT",
        attempts=2,
    )
    return notification_id, dead_letter_id


async def test_a_row_says_which_delivery_died_of_what(tenant: Tenant) -> None:
    dead_letter_id = await put(tenant)

    (row,) = (await admin(tenant).get(LIST)).json()["dead_letters"]

    assert row.pop("died_at").endswith("Z")
    assert row == {
        "dead_letter_id": dead_letter_id,
        "app_id": str(tenant.app_id),
        "notification_id": "0195a000-0000-7000-8000-000000000000",
        "device_id": "0195a000-0000-7000-8000-00000000000c",
        "provider": "fcm",
        "reason": "PayloadTooLarge",
        "attempts": 1,
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 1_000])
async def test_pages_hold_every_letter_once_newest_first(tenant: Tenant, limit: int) -> None:
    now = utc_now()
    made = [await put(tenant, died_at=now - timedelta(seconds=n)) for n in range(8)]

    assert await everything(admin(tenant), f"limit={limit}") == made


async def test_what_dies_in_between_two_pages_disturbs_none(tenant: Tenant) -> None:
    now = utc_now()
    made = [await put(tenant, died_at=now - timedelta(seconds=n)) for n in range(3)]
    first = await admin(tenant).get(f"{LIST}?limit=1")
    await put(tenant, died_at=now + timedelta(seconds=1))

    cursor = first.json()["next_cursor"]

    assert listed(await admin(tenant).get(f"{LIST}?cursor={cursor}")) == made[1:]


async def test_filters_let_through_what_fits(tenant: Tenant) -> None:
    now = utc_now()
    old = await put(tenant, died_at=now - timedelta(hours=2))
    apns = await put(tenant, provider="apns", died_at=now - timedelta(hours=1))
    poison = await put(tenant, reason="poison", died_at=now)
    at = {hours: (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (1, 3)}
    expected = {
        "provider=apns": [apns],
        "provider=webpush": [],
        "reason=poison": [poison],
        "reason=Poison": [],
        "reason=poison&provider=apns": [],
        f"since={at[1]}": [poison, apns],
        f"until={at[1]}": [old],
        f"since={at[3]}&until={at[1]}": [old],
        "since=0001-01-01T00:00:00%2B14:00": [poison, apns, old],
        "until=9999-12-31T23:59:59-14:00": [poison, apns, old],
        "since=9999-12-31T23:59:59-14:00": [],
    }

    found = {query: listed(await admin(tenant).get(f"{LIST}?{query}")) for query in expected}

    assert found == expected


async def test_tenants_do_not_see_each_others(api: Api, tenant: Tenant) -> None:
    other = await a_tenant(api)
    mine, theirs = await put(tenant), await put(other)
    unreadable = await put_unreadable(api)
    absent = await admin(tenant).get(f"{LIST}/{uuid4()}")

    assert listed(await admin(tenant).get(LIST)) == [mine]
    assert listed(await admin(tenant).get(f"{LIST}?cursor={UUID(theirs).hex}")) == []
    for foreign in (theirs, unreadable):
        answer = await admin(tenant).get(f"{LIST}/{foreign}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Dead letter not found")
        assert answer.json().keys() == absent.json().keys()


async def test_a_platform_admin_sees_one_apps_or_all(api: Api, tenant: Tenant) -> None:
    other = await a_tenant(api)
    mine, theirs = await put(tenant), await put(other)
    unreadable = await put_unreadable(api)

    assert listed(await api.platform().get(f"{LIST}?app_id={tenant.app_id}")) == [mine]
    assert {mine, theirs, unreadable} <= set(await everything(api.platform(), "limit=1000"))
    assert unreadable in await everything(api.platform(), "reason=unreadable")


async def test_an_unreadable_message_is_told_of_and_not_shown(api: Api) -> None:
    dead_letter_id = await put_unreadable(api, raw=b"\x00secret")

    answer = await api.platform().get(f"{LIST}/{dead_letter_id}")

    assert "secret" not in answer.text
    found = answer.json()
    assert (found["reason"], found["message_bytes"]) == ("unreadable", 7)
    unknown = ("app_id", "notification_id", "device_id", "provider", "notification", "delivery")
    assert {found[name] for name in unknown} == {None}


async def test_one_letter_tells_of_its_delivery_and_of_no_content(tenant: Tenant) -> None:
    notification_id, dead_letter_id = await rejected(tenant, "canary")

    answer = await admin(tenant).get(f"{LIST}/{dead_letter_id}")

    found: Body = answer.json()
    status = await tenant.status(notification_id)
    (device,) = status.pop("devices")
    assert (found["notification"], found["delivery"]) == (status, device)
    assert (device["state"], device["reason"], device["attempts"]) == (
        "rejected",
        "INVALID_ARGUMENT",
        2,
    )
    assert found["message_bytes"] is None
    texts = answer.text + (await admin(tenant).get(LIST)).text
    assert "canary" not in texts


async def test_a_letter_outlives_its_notification(tenant: Tenant) -> None:
    dead_letter_id = await put(tenant, notification_id=ids.new_send_id(utc_now()))

    found = (await admin(tenant).get(f"{LIST}/{dead_letter_id}")).json()

    assert (found["notification"], found["delivery"]) == (None, None)
    assert found["reason"] == "PayloadTooLarge"


async def test_who_may_look(api: Api, tenant: Tenant) -> None:
    dead_letter_id = await put(tenant)
    own = tenant.app_id
    await api.platform().put(f"/push/apps/{own}", {"name": "x", "tenant_id": "t1"})
    callers = {
        "admin": (api.user(own, roles=["admin"]), f"app_id={own}"),
        "tenant's admin": (api.user(own, roles=["tenant_admin"], tenant_id="t1"), ""),
        "platform admin": (api.platform(), f"app_id={own}"),
    }
    for who, (caller, query) in callers.items():
        assert listed(await caller.get(f"{LIST}?{query}")) == [dead_letter_id], who
        assert (await caller.get(f"{LIST}/{dead_letter_id}")).status_code == 200, who


async def test_who_may_not_look(api: Api, tenant: Tenant) -> None:
    own, foreign = tenant.app_id, (await a_tenant(api)).app_id
    callers = {
        "service": (api.service(own), "", 403),
        "user": (api.user(own, tenant.user_id), "", 403),
        "admin of another": (api.user(own, roles=["admin"]), f"app_id={foreign}", 403),
        "admin of none": (api.user(own, roles=["admin"]), f"app_id={uuid4()}", 403),
        "admin of no id": (api.user(own, roles=["admin"]), "app_id=x", 403),
        "another tenant's": (api.user(own, roles=["tenant_admin"], tenant_id="t9"), "", 403),
        "platform admin, no app": (api.platform(), f"app_id={uuid4()}", 404),
        "nobody": (Caller(api.http, None), "", 401),
    }
    for who, (caller, query, status) in callers.items():
        assert (await caller.get(f"{LIST}?{query}")).status_code == status, who
    for refused in (api.service(own), api.user(own, tenant.user_id)):
        answer = await refused.get(f"{LIST}/{uuid4()}")
        assert answer.json()["detail"] == "Insufficient permissions"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("cursor=x", "#/cursor"),
        ("cursor=", "#/cursor"),
        ("cursor=%00", "#/cursor"),
        ("provider=email", "#/provider"),
        ("provider=APNS", "#/provider"),
        ("provider=", "#/provider"),
        ("reason=", "#/reason"),
        (f"reason={'x' * 257}", "#/reason"),
        ("reason=a&reason=b", "#/reason"),
        ("since=yesterday", "#/since"),
        ("since=", "#/since"),
        ("since=2026-03-19T08:00:00", "#/since"),
        ("since=2026-03-19T08:00:00+02:00", "#/since"),
        ("since=2026-02-30T08:00:00Z", "#/since"),
        ("since=1763000000", "#/since"),
        ("until=%00", "#/until"),
        ("until=null", "#/until"),
        ("limit=0", "#/limit"),
        ("limit=1001", "#/limit"),
        ("limit=x", "#/limit"),
    ],
)
async def test_a_faulty_query_is_refused(tenant: Tenant, query: str, pointer: str) -> None:
    assert pointers(await admin(tenant).get(f"{LIST}?{query}")) == [pointer]


@pytest.mark.parametrize("reason", ["%00", "%ff%fe", "%ed%a0%80", "%24ne", "%7B%22%24ne%22:1%7D"])
async def test_any_text_is_a_reason(tenant: Tenant, reason: str) -> None:
    await put(tenant)

    assert listed(await admin(tenant).get(f"{LIST}?reason={reason}")) == []


@pytest.mark.parametrize("dead_letter_id", ["x", "%00", "..%00", "%7B%7D", "0" * 5_000])
async def test_a_malformed_id_is_as_one_that_is_absent(tenant: Tenant, dead_letter_id: str) -> None:
    answer = await admin(tenant).get(f"{LIST}/{dead_letter_id}")

    assert (answer.status_code, answer.json()["detail"]) == (404, "Dead letter not found")
