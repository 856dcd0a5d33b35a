"""The largest requests: taken whole, or refused as too large, and nothing in between."""

from typing import Any

import pytest

from tests.front_door import Api
from tests.integration.api.tenant import Body, Tenant, a_tenant

SMILE = "\U0001f600"
ROWS = 500


@pytest.fixture(scope="module")
async def tenant(api: Api) -> Tenant:
    return await a_tenant(api)


def a_full_row(tenant: Tenant, number: int, *, text: str) -> Body:
    """Every optional field at its largest; `text` fills what counts characters."""
    wording = {"title": "T", "body": text * 1_300}
    loc = {"key": "K" * 256, "args": ["a" * 64] * 16}
    patch: Any = {"x": "y" * 4_088}
    return tenant.body(
        title=f"{number:03}" + text * 253,
        body=text * 4_096,
        data={"n": number, "d": "x" * 4_000},
        collapse_key=text * 256,
        sound=text * 128,
        category=text * 128,
        thread_id=text * 128,
        badge=2**31 - 1,
        image="https://" + "a" * 2_040,
        click_action=text * 2_048,
        title_loc=loc,
        body_loc=loc,
        localized=dict.fromkeys(("de", "fr", "es"), wording) if len(text.encode()) > 1 else {},
        overrides=dict.fromkeys(("apns", "fcm", "webpush", "pushy"), patch),
        platforms=["ios", "android", "web"],
    )


async def test_a_full_batch_of_every_field_is_taken_and_read_back(tenant: Tenant) -> None:
    rows = [a_full_row(tenant, number, text=SMILE) for number in range(ROWS)]

    answer = await tenant.batch(*rows)

    assert 30_000_000 < len(answer.request.content) < 41_943_040
    assert answer.status_code == 200, answer.text[:300]
    made = answer.json()["notification_ids"]
    user = tenant.api.user(tenant.app_id, tenant.user_id)
    for number in (0, 1, 249, 499):
        data = await user.get(f"/push/notifications/{made[number]}/data")
        assert data.json() == {"data": rows[number]["data"]}
    assert (await tenant.status(made[499]))["status"] == "no_devices"
    listed = await tenant.get("/push/notifications?limit=1000")
    assert len(listed.json()["notifications"]) == ROWS


async def test_a_batch_beyond_40_mib_is_refused_whole(tenant: Tenant) -> None:
    before = await tenant.recorded()
    rows = [a_full_row(tenant, number, text=SMILE) for number in range(ROWS)]
    for row in rows:
        row["body_loc"] = {"key": "K", "args": [SMILE * 256] * 16}

    answer = await tenant.batch(*rows)

    assert len(answer.request.content) > 41_943_040
    assert (answer.status_code, answer.json()["detail"]) == (413, "Request body too large")
    assert await tenant.recorded() == before


async def test_a_fault_in_the_last_row_of_a_full_batch_is_named(tenant: Tenant) -> None:
    before = await tenant.recorded()
    rows = [a_full_row(tenant, number, text="e") for number in range(ROWS)]
    rows[-1]["overrides"]["fcm"] = {"token": "x"}

    answer = await tenant.batch(*rows)

    assert answer.status_code == 400
    pointer = f"#/notifications/{ROWS - 1}/overrides/fcm/token"
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
    assert await tenant.recorded() == before
