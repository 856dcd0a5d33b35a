"""Sends: whole or absent whatever their size, one per claim, listed and cancelled by outline."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from shared import ids
from shared.domain.deliveries import Target
from shared.domain.sends import Recipient, Send
from shared.storage.chunks import ChunkRepository, Span
from shared.storage.mongo import Database
from shared.storage.send_documents import PART_BYTES_MAX
from shared.storage.sends import SendRepository
from tests.builders import APP_ID, NOW, USER_ID, a_chunk, a_content, a_send

LARGE = 4_000_000


def of_size(*sizes: int, seed: str = "a") -> Send:
    """A send with contents of about these sizes in bytes, each told from all others."""
    contents = tuple(
        a_content(title=f"{seed}{number}", body=seed * size) for number, size in enumerate(sizes)
    )
    recipients = tuple(Recipient(USER_ID, number) for number in range(len(sizes)))
    return a_send(send_id=ids.new_send_id(NOW), contents=contents, recipients=recipients)


async def parts_of(database: Database, send: Send) -> int:
    return await database["contents"].count({"_id.send": send.send_id})


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([10], 0),
        ([LARGE - 500] * 2, 0),
        ([LARGE] * 2, 2),
        ([LARGE] * 3, 3),
        ([LARGE - 500] * 4, 2),
        ([60_000] * 500, 4),
        ([7_900_000, 10, 10, 7_900_000, 10], 2),
        ([7_999_900], 0),
    ],
)
async def test_a_send_of_any_size_is_read_back_whole(
    database: Database, sizes: list[int], parts: int
) -> None:
    sends, send = SendRepository(database), of_size(*sizes)

    assert await sends.insert(send, [])

    assert await parts_of(database, send) == parts
    assert await sends.get(APP_ID, send.send_id) == send
    document = await database["sends"].find_one({"_id": send.send_id})
    assert sum(map(len, document["contents"])) <= PART_BYTES_MAX


async def test_several_are_read_at_once_each_with_its_own_contents(database: Database) -> None:
    sends = SendRepository(database)
    wanted = [of_size(LARGE, LARGE, 5, seed="a"), of_size(5, seed="b"), of_size(LARGE, LARGE + 1)]
    for send in [*wanted, of_size(LARGE, LARGE, LARGE, seed="z")]:
        await sends.insert(send, [])

    found = await sends.of_ids([*(send.send_id for send in wanted), uuid4()])

    assert found == {send.send_id: send for send in wanted}


async def test_an_outline_is_the_same_send_without_its_contents(database: Database) -> None:
    sends, send = SendRepository(database), of_size(LARGE, LARGE)
    await sends.insert(send, [])
    outline = await sends.outline(APP_ID, send.send_id)
    assert outline is not None
    for name in outline.__struct_fields__:
        assert getattr(outline, name) == getattr(send, name)


async def test_a_send_that_is_being_deleted_is_not_there(database: Database) -> None:
    sends, large, small = SendRepository(database), of_size(LARGE, LARGE), of_size(5)
    await sends.insert(large, [])
    await sends.insert(small, [])

    await database["contents"].delete_one({"_id": {"send": large.send_id, "part": 1}})

    assert await sends.get(APP_ID, large.send_id) is None
    assert await sends.of_ids([large.send_id, small.send_id]) == {small.send_id: small}


async def test_another_apps_send_is_not_there(database: Database) -> None:
    sends, send = SendRepository(database), of_size(5)
    await sends.insert(send, [])
    other = uuid4()
    assert await sends.get(other, send.send_id) is None
    assert await sends.outline(other, send.send_id) is None
    assert await sends.cancel(other, send.send_id, 0, NOW) is None
    assert await sends.page(other, user_id=None, up_to=None, limit=10) == []
    outline = await sends.outline(APP_ID, send.send_id)
    assert outline is not None
    assert outline.cancelled == frozenset()


async def test_one_send_is_recorded_under_a_claim(database: Database) -> None:
    sends, claim = SendRepository(database), uuid4()
    rivals = [of_size(5) for _ in range(20)]

    won = await asyncio.gather(*(sends.insert(send, [], claim=claim) for send in rivals))

    assert won.count(True) == 1
    assert await sends.of_claim(claim) == rivals[won.index(True)].send_id
    assert await database["sends"].count({}) == 1
    assert await sends.insert(of_size(5), [], claim=uuid4())


async def test_any_number_is_recorded_without_a_claim(database: Database) -> None:
    sends = SendRepository(database)
    recorded = [await sends.insert(of_size(5), []) for _ in range(3)]
    assert recorded == [True, True, True]
    assert await sends.of_claim(uuid4()) is None


async def test_notifications_are_cancelled_once_each(database: Database) -> None:
    sends, send = SendRepository(database), of_size(5, 5, 5)
    await sends.insert(send, [])
    await sends.flag_published([send.send_id])

    marked = [await sends.cancel(APP_ID, send.send_id, index, NOW) for index in (2, 0, 2)]

    assert [m.cancelled for m in marked if m is not None] == [{2}, {0, 2}, {0, 2}]
    assert marked[-1] is not None
    assert marked[-1].published is True


async def test_a_cancelled_send_is_looked_at_again_until_nothing_was_asked_since(
    database: Database,
) -> None:
    sends, send = SendRepository(database), of_size(5, 5)
    await sends.insert(send, [])
    later = NOW + timedelta(seconds=1)
    await sends.cancel(APP_ID, send.send_id, 0, NOW)

    assert await sends.to_look_at(asked_before=NOW, limit=9) == {}
    asked = await sends.to_look_at(asked_before=later, limit=9)
    await sends.cancel(APP_ID, send.send_id, 1, later)
    await sends.looked_at(asked)

    assert asked == {send.send_id: NOW}
    again = await sends.to_look_at(asked_before=later + timedelta(seconds=1), limit=9)
    assert again == {send.send_id: later}
    await sends.looked_at(again)
    assert await sends.to_look_at(asked_before=later + timedelta(days=1), limit=9) == {}


async def test_a_page_is_newest_first_and_of_one_user_when_asked(database: Database) -> None:
    sends, other = SendRepository(database), uuid4()
    made: list[UUID] = []
    for number in range(6):
        send = of_size(5)
        if number % 2:
            send = a_send(send_id=send.send_id, recipients=(Recipient(other, 0),))
        await sends.insert(send, [])
        made.append(send.send_id)
    newest = sorted(made, reverse=True)

    async def page(user_id: UUID | None, up_to: UUID | None, limit: int) -> list[UUID]:
        rows = await sends.page(APP_ID, user_id=user_id, up_to=up_to, limit=limit)
        return [row.send_id for row in rows]

    assert await page(None, None, 10) == newest
    assert await page(None, newest[2], 2) == newest[2:4]
    assert await page(other, None, 10) == [i for i in newest if made.index(i) % 2]


async def test_chunks_are_found_by_the_notifications_that_they_hold(database: Database) -> None:
    sends, chunks, send = SendRepository(database), ChunkRepository(database), of_size(5)
    other = of_size(5)
    groups = [(0, 1), (1, 2), (3,), (0, 7)]
    made = [
        a_chunk(
            chunk_id=ids.chunk_id(owner.send_id, number),
            send_id=owner.send_id,
            targets=tuple(Target(index, uuid4()) for index in group),
        )
        for owner in (send, other)
        for number, group in enumerate(groups)
    ]
    await sends.insert(send, made[:4])
    await sends.insert(other, made[4:])

    async def found(*spans: Span) -> set[int]:
        rows = await chunks.of_spans(APP_ID, spans)
        return {made.index(row) for row in rows}

    assert await found(Span(send.send_id, 1, 1)) == {0, 1}
    assert await found(Span(send.send_id, 2, 3)) == {1, 2}
    assert await found(Span(send.send_id, 4, 6)) == set()
    assert await found(Span(send.send_id, 3, 3), Span(other.send_id, 0, 0)) == {2, 4, 7}
    assert await found() == set()
    assert await chunks.of_spans(uuid4(), [Span(send.send_id, 0, 9)]) == []
