"""`send_at` at the front door: which times are taken, and what is recorded of them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared import ids
from tests.front_door import Api
from tests.integration.api.tenant import Tenant, a_tenant, pointers


@pytest.fixture(scope="module")
async def tenant(api: Api) -> Tenant:
    return await a_tenant(api)


def instant(**ahead: float) -> datetime:
    now = datetime.now(UTC) + timedelta(**ahead)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)


def seen(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("ahead", [{"seconds": 2}, {"days": 1}, {"days": 29, "hours": 23.99}])
async def test_a_time_within_30_days_is_kept(tenant: Tenant, ahead: dict[str, float]) -> None:
    at = instant(**ahead)
    elsewhere = at.astimezone(datetime.strptime("+0530", "%z").tzinfo)

    status = await tenant.status(await tenant.sent(send_at=elsewhere.isoformat(), ttl=60))

    assert (status["status"], status["devices"]) == ("scheduled", [])
    assert seen(status["send_at"]) == at
    assert seen(status["expires_at"]) == at + timedelta(seconds=60)
    listed = await tenant.get("/push/notifications?limit=1")
    (row,) = listed.json()["notifications"]
    assert row == {name: status[name] for name in row}
    assert "send_at" in row


async def test_a_time_just_past_means_now(tenant: Tenant) -> None:
    at = instant(seconds=-30).isoformat()
    status = await tenant.status(await tenant.sent(send_at=at, ttl=60))
    assert (status["status"], status["send_at"]) == ("no_devices", None)
    assert seen(status["expires_at"]) == seen(status["accepted_at"]) + timedelta(seconds=60)


@pytest.mark.parametrize("ahead", [{"minutes": -2}, {"days": -1}, {"days": 30.01}, {"days": 31}])
async def test_a_time_out_of_reach_is_refused(tenant: Tenant, ahead: dict[str, float]) -> None:
    at = instant(**ahead).isoformat()
    assert pointers(await tenant.send(send_at=at)) == ["#/send_at"]
    rows = [{}, {"send_at": at}, {"send_at": instant(hours=1).isoformat()}, {"send_at": at}]
    assert pointers(await tenant.batch(*rows)) == [
        "#/notifications/1/send_at",
        "#/notifications/3/send_at",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2126-03-19T08:00:00",
        "2126-03-19",
        "2126-02-30T08:00:00Z",
        "2126-03-19T24:00:00Z",
        "2126-03-19T08:00:00+24:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01T00:00:00Z",
        "tomorrow",
        "",
        "Z",
        4_929_580_800,
        4_929_580_800.5,
        True,
        [],
    ],
)
async def test_what_is_no_time_is_refused(tenant: Tenant, text: object) -> None:
    assert pointers(await tenant.send(send_at=text)) == ["#/send_at"]
    assert pointers(await tenant.batch({}, {"send_at": text})) == ["#/notifications/1/send_at"]
    assert pointers(await tenant.post("/preview", tenant.body(send_at=text))) == ["#/send_at"]


async def test_a_batch_may_mix_times(tenant: Tenant) -> None:
    soon, later = instant(hours=1), instant(days=2)
    await tenant.register()
    before = await tenant.charged()

    answer = await tenant.batch(
        {"send_at": later.isoformat(), "ttl": 0},
        {"ttl": 60},
        {"send_at": soon.isoformat(), "ttl": 3_600},
        {"send_at": instant(seconds=-20).isoformat()},
    )

    statuses = [await tenant.status(i) for i in answer.json()["notification_ids"]]
    assert [s["status"] for s in statuses] == ["scheduled", "pending", "scheduled", "pending"]
    assert [len(s["devices"]) for s in statuses] == [0, 1, 0, 1]
    ends = [seen(s["expires_at"]) for s in statuses]
    assert [ends[0], ends[2]] == [later, soon + timedelta(hours=1)]
    assert ends[1] == seen(statuses[1]["accepted_at"]) + timedelta(seconds=60)
    send_id = ids.send_id_of(UUID(answer.json()["notification_ids"][0]))
    stored = await tenant.api.database["sends"].find_one({"_id": send_id})
    assert stored["due_at"] == soon
    assert await tenant.charged() == before + 4
