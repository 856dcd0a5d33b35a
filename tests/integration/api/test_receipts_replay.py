"""Replays: the calls that hold the receipts begin anew, once, and the app's numbers stay."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.clock import utc_now
from shared.domain.receipts import CallState
from tests.front_door import Api
from tests.integration.api.recorded import Row, call_row, calls, record, settle
from tests.integration.api.tenant import pointers

HOOK = "https://hooks.example.com/push"
FORMS = "exactly one of: ids; from_seq and to_seq; since and until"


@pytest.fixture
async def app_id(api: Api) -> UUID:
    return await api.new_app(webhook_url=HOOK)


async def replay(api: Api, app_id: UUID, **chosen: Any) -> httpx.Response:
    return await api.service(app_id).post("/push/receipts/replay", chosen)


async def replayed(api: Api, app_id: UUID, **chosen: Any) -> tuple[int, int, int]:
    """Calls and receipts that are posted again, and calls that were to be posted anyway."""
    answer = await replay(api, app_id, **chosen)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return found["calls"], found["receipts"], found["calls_queued_before"]


def renewed(before: list[Row], after: list[Row]) -> list[int]:
    """The first numbers of the calls that began anew."""
    pairs = zip(before, after, strict=True)
    return [old["first_seq"] for old, new in pairs if old["webhook_id"] != new["webhook_id"]]


async def test_a_replay_begins_the_call_anew_with_the_same_receipts(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 3, to_be_posted=True)
    await settle(api, app_id, "received", attempts=2)
    (before,) = await calls(api, app_id)

    assert await replayed(api, app_id, from_seq=2, to_seq=2) == (1, 3, 0)

    (after,) = await calls(api, app_id)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"webhook_id", "state", "attempts", "next_attempt_at"}
    assert after["webhook_id"].startswith("msg_")
    assert (after["state"], after["attempts"]) == ("pending", 0)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1, 1, [1]),
        (2, 5, [1, 3]),
        (5, 6, [3, 6]),
        (3, 3, [3]),
        (1, 1_000_000, [1, 3, 6]),
        (7, 9, []),
    ],
)
async def test_a_range_takes_every_call_that_it_touches(
    api: Api, app_id: UUID, first: int, last: int, expected: list[int]
) -> None:
    await record(api, app_id, 2, 3, 1)
    before = await calls(api, app_id)

    await replayed(api, app_id, from_seq=first, to_seq=last)

    assert renewed(before, await calls(api, app_id)) == expected


async def test_receipts_are_chosen_by_their_ids(api: Api, app_id: UUID) -> None:
    receipts = await record(api, app_id, 2, 3, 1)
    before = await calls(api, app_id)
    ids = [str(receipts[3].id), str(receipts[2].id), str(uuid4())]

    assert await replayed(api, app_id, ids=ids) == (1, 3, 0)

    assert renewed(before, await calls(api, app_id)) == [3]


async def test_receipts_are_chosen_by_the_time_of_their_recording(api: Api, app_id: UUID) -> None:
    for hours in (5, 3, 1):
        await record(api, app_id, 2, ago=timedelta(hours=hours))
    before, now = await calls(api, app_id), utc_now()

    chosen = {"since": now - timedelta(hours=4), "until": now - timedelta(hours=2)}
    answer = await replayed(api, app_id, **{name: at.isoformat() for name, at in chosen.items()})

    assert answer == (1, 2, 0)
    assert renewed(before, await calls(api, app_id)) == [3]


async def test_all_of_time_is_a_time(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 2)

    chosen = {"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-12:00"}

    assert await replayed(api, app_id, **chosen) == (1, 2, 0)


@pytest.mark.parametrize(
    ("state", "attempts", "expected"),
    [
        ("unposted", 0, (1, 2, 0)),
        ("abandoned", 8, (1, 2, 0)),
        ("received", 1, (1, 2, 0)),
        ("pending", 3, (1, 2, 0)),
        ("pending", 0, (0, 0, 1)),
    ],
)
async def test_what_is_about_to_be_posted_is_left_alone(
    api: Api, app_id: UUID, state: CallState, attempts: int, expected: tuple[int, int, int]
) -> None:
    await record(api, app_id, 2, to_be_posted=True)
    await settle(api, app_id, state, attempts=attempts, at=utc_now() + timedelta(hours=2))

    assert await replayed(api, app_id, from_seq=1, to_seq=2) == expected


async def test_the_same_replay_again_queues_nothing_more(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 2, 3)
    await replayed(api, app_id, from_seq=1, to_seq=5)
    before = await calls(api, app_id)

    assert await replayed(api, app_id, from_seq=1, to_seq=5) == (0, 0, 2)

    assert await calls(api, app_id) == before


async def test_a_replay_leaves_the_sequence_alone(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 2, 3)
    await replayed(api, app_id, from_seq=1, to_seq=5)
    await record(api, app_id, 1)

    page = (await api.service(app_id).get("/push/receipts")).json()

    assert [receipt["seq"] for receipt in page["receipts"]] == [1, 2, 3, 4, 5, 6]


async def test_a_foreign_receipt_is_as_one_that_does_not_exist(api: Api, app_id: UUID) -> None:
    other = await api.new_app(webhook_url=HOOK)
    (foreign,) = await record(api, other, 1)
    before = await calls(api, other)

    assert await replayed(api, app_id, ids=[str(foreign.id)]) == (0, 0, 0)
    assert await replayed(api, app_id, ids=[str(uuid4())]) == (0, 0, 0)

    assert await calls(api, other) == before


async def test_a_replay_is_on_record_when_the_queue_is_away(without_broker: Api) -> None:
    app_id = await without_broker.new_app(webhook_url=HOOK)
    await record(without_broker, app_id, 2)

    assert await replayed(without_broker, app_id, from_seq=1, to_seq=2) == (1, 2, 0)

    (call,) = await calls(without_broker, app_id)
    assert call["state"] == "pending"
    assert call["next_attempt_at"] <= utc_now()  # the sweeper finds it


async def test_a_replay_needs_a_webhook(api: Api) -> None:
    app_id = await api.new_app()
    await record(api, app_id, 2)

    answer = await replay(api, app_id, from_seq=1, to_seq=2)

    assert (answer.status_code, answer.json()["detail"]) == (409, "App has no webhook")
    assert [call["state"] for call in await calls(api, app_id)] == ["unposted"]


async def test_a_replay_is_bounded(api: Api, app_id: UUID) -> None:
    rows = [call_row(app_id, 1 + 100 * n, 100) for n in range(101)]
    await api.database["receipts"].insert_many(rows)

    answer = await replay(api, app_id, from_seq=1, to_seq=10_001)
    whole = await replayed(api, app_id, from_seq=1, to_seq=10_000)

    assert answer.json()["errors"] == [
        {
            "pointer": "#",
            "detail": "more than 10,000 receipts in the calls that hold these",
        }
    ]
    assert whole == (100, 10_000, 0)


async def test_thirty_replays_a_minute(api: Api, app_id: UUID) -> None:
    answers = [await replay(api, app_id, from_seq=1, to_seq=1) for _ in range(31)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("chosen", "pointer", "detail"),
    [
        ({}, "#", FORMS),
        ({"from_seq": 1}, "#", FORMS),
        ({"to_seq": 1}, "#", FORMS),
        ({"since": "2026-03-19T08:00:00Z"}, "#", FORMS),
        ({"ids": [str(uuid4())], "from_seq": 1, "to_seq": 1}, "#", FORMS),
        ({"from_seq": 1, "to_seq": 1, "until": "2026-03-19T08:00:00Z"}, "#", FORMS),
        ({"from_seq": 2, "to_seq": 1}, "#/to_seq", "less than from_seq"),
        (
            {"since": "2026-03-19T08:00:00Z", "until": "2026-03-19T08:00:00Z"},
            "#/until",
            "not later than since",
        ),
        ({"from_seq": 0, "to_seq": 1}, "#/from_seq", None),
        ({"from_seq": "1", "to_seq": 1}, "#/from_seq", None),
        ({"from_seq": 1, "to_seq": 2**53}, "#/to_seq", None),
        ({"from_seq": 1, "to_seq": 10**30}, "#/to_seq", None),
        ({"from_seq": None, "to_seq": 1}, "#/from_seq", None),
        ({"ids": []}, "#/ids", None),
        ({"ids": ["x"]}, "#/ids/0", None),
        ({"ids": [str(UUID(int=n)) for n in range(1_001)]}, "#/ids", None),
        ({"since": "2026-03-19T08:00:00", "until": "2026-03-19T09:00:00Z"}, "#/since", None),
        ({"since": "now", "until": "2026-03-19T09:00:00Z"}, "#/since", None),
        ({"ids": [str(uuid4())], "rate": 5}, "#/rate", None),
    ],
)
async def test_a_bad_choice_is_named(
    api: Api, app_id: UUID, chosen: dict[str, Any], pointer: str, detail: str | None
) -> None:
    answer = await replay(api, app_id, **chosen)

    assert pointers(answer) == [pointer]
    assert detail in {None, answer.json()["errors"][0]["detail"]}


async def test_an_admin_names_the_app(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 1)
    path, body = f"/push/receipts/replay?app_id={app_id}", {"from_seq": 1, "to_seq": 1}

    refused = await api.user(app_id).post(path, body)
    foreign = await api.user(uuid4(), roles=["admin"]).post(path, body)
    answer = await api.platform().post(path, body)

    assert (refused.status_code, foreign.status_code) == (403, 403)
    assert answer.json() == {"calls": 1, "receipts": 1, "calls_queued_before": 0}
