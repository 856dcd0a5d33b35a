"""Pulling receipts: in order over the calls that hold them, with nothing lost between pages."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pymongo
import pytest

from tests.front_door import Api, Caller
from tests.integration.api.recorded import Row, call_row, prune, record
from tests.integration.api.tenant import pointers
from tests.servers import Servers

Page = dict[str, Any]
MANY = 100_000
DOCUMENTS_A_PAGE = 20  # beside those of the receipts themselves: the app, the edges, the places


@pytest.fixture
async def app_id(api: Api) -> UUID:
    return await api.new_app()


async def pull(caller: Caller, query: str = "") -> Page:
    answer = await caller.get(f"/push/receipts{query}")
    assert answer.status_code == 200, answer.text
    page: Page = answer.json()
    return page


def seqs(page: Page) -> list[int]:
    return [receipt["seq"] for receipt in page["receipts"]]


async def pull_all(caller: Caller, limit: int) -> list[Page]:
    pages = [await pull(caller, f"?limit={limit}")]
    while pages[-1]["has_more"]:
        after = pages[-1]["next_after"]
        pages.append(await pull(caller, f"?limit={limit}&after={after}"))
    return pages


async def test_a_page_has_the_receipts_as_they_are_posted(api: Api, app_id: UUID) -> None:
    (receipt,) = await record(api, app_id, 1)

    page = await pull(api.service(app_id))

    assert page["receipts"] == [
        {
            "id": str(receipt.id),
            "seq": 1,
            "notification_id": str(receipt.notification_id),
            "user_id": str(receipt.user_id),
            "device_id": str(receipt.device_id),
            "platform": "android",
            "provider": "fcm",
            "state": "sent",
            "reason": None,
            "attempts": 1,
            "provider_message_id": "m-1",
            "occurred_at": "2126-03-19T08:00:00Z",
        }
    ]
    del page["receipts"]
    assert page == {"next_after": 1, "has_more": False, "oldest_seq": 1, "newest_seq": 1}


@pytest.mark.parametrize("limit", [1, 3, 7, 100, 1_000])
async def test_pages_begin_and_end_within_calls(api: Api, app_id: UUID, limit: int) -> None:
    receipts = await record(api, app_id, 1, 5, 2, 100, 1, 1, 30)

    pages = await pull_all(api.service(app_id), limit)

    pulled = [receipt for page in pages for receipt in page["receipts"]]
    assert [receipt["seq"] for receipt in pulled] == list(range(1, 141))
    assert [receipt["id"] for receipt in pulled] == [str(receipt.id) for receipt in receipts]
    assert all(len(page["receipts"]) == limit for page in pages[:-1])


async def test_a_reader_goes_on_when_there_is_more(api: Api, app_id: UUID) -> None:
    caller = api.service(app_id)
    await record(api, app_id, 3)
    before = await pull(caller)
    nothing = await pull(caller, f"?after={before['next_after']}")
    await record(api, app_id, 2)

    page = await pull(caller, f"?after={nothing['next_after']}")

    assert (seqs(before), seqs(nothing), seqs(page)) == ([1, 2, 3], [], [4, 5])


async def test_an_app_without_receipts_has_an_empty_page(api: Api, app_id: UUID) -> None:
    page = await pull(api.service(app_id))

    assert page == {
        "receipts": [],
        "next_after": 0,
        "has_more": False,
        "oldest_seq": 1,
        "newest_seq": 0,
    }


async def test_a_reader_sees_what_is_gone(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 4, 4, 4)
    await prune(api, app_id, below=9)

    page = await pull(api.service(app_id), "?after=2")

    assert seqs(page) == [9, 10, 11, 12]
    assert page["oldest_seq"] == 9


async def test_a_reader_goes_on_when_everything_is_gone(api: Api, app_id: UUID) -> None:
    caller = api.service(app_id)
    await record(api, app_id, 4)
    await prune(api, app_id, below=100)
    nothing = await pull(caller, "?after=2")
    await record(api, app_id, 1)

    page = await pull(caller, f"?after={nothing['next_after']}")

    assert nothing | {"receipts": 0} == {
        "receipts": 0,
        "next_after": 4,
        "has_more": False,
        "oldest_seq": 5,
        "newest_seq": 4,
    }
    assert seqs(page) == [5]


async def test_a_reader_passes_over_a_hole_between_calls(api: Api, app_id: UUID) -> None:
    await api.database["receipts"].insert_many(
        [call_row(app_id, 1, 2), call_row(app_id, 500, 2), call_row(app_id, 502, 1)]
    )

    pages = await pull_all(api.service(app_id), 2)

    assert [seqs(page) for page in pages] == [[1, 2], [500, 501], [502]]


async def test_a_reader_from_the_future_stays_where_it_is(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 1)

    page = await pull(api.service(app_id), "?after=9007199254740991")

    assert (page["receipts"], page["next_after"], page["has_more"]) == ([], 2**53 - 1, False)


async def test_an_app_sees_its_own_receipts_only(api: Api, app_id: UUID) -> None:
    await record(api, await api.new_app(), 3)
    await record(api, app_id, 1)

    assert len((await pull(api.service(app_id)))["receipts"]) == 1


async def test_who_may_pull(api: Api, app_id: UUID) -> None:
    await record(api, app_id, 1)
    path = f"/push/receipts?app_id={app_id}"
    callers = {
        "service": api.service(app_id),
        "no scope": api.service(app_id, "push:enroll"),
        "admin": api.user(app_id, roles=["admin"]),
        "platform admin": api.platform(),
        "user": api.user(app_id),
        "another app": api.service(await api.new_app()),
        "another's admin": api.user(await api.new_app(), roles=["admin"]),
        "nobody": Caller(api.http, None),
    }

    statuses = {who: (await caller.get(path)).status_code for who, caller in callers.items()}

    assert statuses == {
        "service": 200,
        "no scope": 403,
        "admin": 200,
        "platform admin": 200,
        "user": 403,
        "another app": 403,
        "another's admin": 403,
        "nobody": 401,
    }


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("after=-1", "#/after"),
        ("after=x", "#/after"),
        ("after=1.5", "#/after"),
        ("after=", "#/after"),
        ("after=null", "#/after"),
        ("after=9007199254740992", "#/after"),
        ("after=" + "9" * 5_000, "#/after"),
        ("after=1&after=1", "#/after"),
        ("limit=0", "#/limit"),
        ("limit=1001", "#/limit"),
    ],
)
async def test_a_bad_parameter_is_named(api: Api, app_id: UUID, query: str, pointer: str) -> None:
    answer: httpx.Response = await api.service(app_id).get(f"/push/receipts?{query}")

    assert pointers(answer) == [pointer]


async def test_a_page_costs_the_same_wherever_it_is(
    api: Api, app_id: UUID, servers: Servers
) -> None:
    """What MongoDB reads for a page, of 100,000 receipts in calls of 1 to 100."""
    rows: list[Row] = []
    first = 1
    while first <= MANY:
        rows.append(call_row(app_id, first, min(1 + 99 * (len(rows) % 2), MANY + 1 - first)))
        first += rows[-1]["count"]
    for start in range(0, len(rows), 250):
        await api.database["receipts"].insert_many(rows[start : start + 250])
    caller = api.service(app_id)

    client: pymongo.AsyncMongoClient[Row]
    async with pymongo.AsyncMongoClient(servers.mongod.url) as client:

        async def documents_read(after: int, limit: int) -> int:
            before = await client.admin.command("serverStatus")
            page = await pull(caller, f"?after={after}&limit={limit}")
            read = await client.admin.command("serverStatus")
            assert seqs(page) == list(range(after + 1, after + 1 + limit))
            return scanned(read) - scanned(before)

        places = (0, 101, 49_950, 98_999)
        counts = [await documents_read(after, 1_000) for after in places]
        single = [await documents_read(after, 1) for after in places]

    assert max(counts) <= 2 * (1_000 // 101 + 2) + DOCUMENTS_A_PAGE
    assert max(single) <= 2 + DOCUMENTS_A_PAGE


def scanned(status: dict[str, Any]) -> int:
    metrics: dict[str, int] = status["metrics"]["queryExecutor"]
    return metrics["scannedObjects"]


async def test_receipts_of_an_app_that_is_no_more_are_not_shown(api: Api) -> None:
    answer = await api.service(uuid4()).get("/push/receipts")

    assert (answer.status_code, answer.json()["detail"]) == (404, "App not found")
