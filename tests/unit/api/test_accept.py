"""Accepting: chunks are right, and every failure leaves nothing or a record."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from api.errors import QuotaExceededError, UnavailableError
from api.services.accept import Acceptor, NotEnrolled, Outbox, Request, build
from shared import ids
from shared.domain.deliveries import Chunk, Target
from shared.domain.devices import Provider
from shared.domain.notifications import Content
from shared.queue.publisher import Publication
from shared.storage.devices import ActiveDevice
from shared.storage.mongo import StorageUnavailable
from shared.storage.quotas import Charge
from shared.storage.sends import Recipient, Send
from tests.unit.api.doubles import APP, NOW, OTHER_USER, USER, an_app, directory, still

DAY = NOW.replace(hour=0)


class World:
    """All collaborators of the acceptor; what they do is set by the test, what was done is kept."""

    def __init__(self) -> None:
        self.enrolled_users = {USER, OTHER_USER}
        self.devices = [ActiveDevice(uuid4(), USER, "fcm")]
        self.remaining = 100
        self.unpublished = 0
        self.confirms = True
        self.insert_fails: Exception | None = None
        self.flag_fails: Exception | None = None
        self.done: list[str] = []
        self.sends: list[tuple[Send, list[Chunk]]] = []
        self.publications: list[Publication] = []

    async def enrolled(self, _app: UUID, users: set[UUID]) -> set[UUID]:
        return users & self.enrolled_users

    async def active_of_users(self, _app: UUID, _users: set[UUID]) -> list[ActiveDevice]:
        return self.devices

    async def charge(self, _app: UUID, units: int, limit: int | None) -> Charge:
        if limit is not None and units > min(self.remaining, limit):
            return Charge(False, DAY, self.remaining)
        self.done.append(f"charge {units}")
        return Charge(True, DAY, None)

    async def refund(self, _app: UUID, units: int, day: Any) -> None:
        assert day == DAY
        self.done.append(f"refund {units}")

    async def insert(self, send: Send, chunks: list[Chunk]) -> None:
        if self.insert_fails:
            raise self.insert_fails
        self.done.append("insert")
        self.sends.append((send, chunks))

    async def count_unpublished(self) -> int:
        return self.unpublished

    async def flag_published(self, _send_ids: Sequence[UUID]) -> None:
        if self.flag_fails:
            raise self.flag_fails
        self.done.append("flag")

    async def publish_all(self, publications: Sequence[Publication]) -> list[bool]:
        self.done.append("publish")
        self.publications += publications
        return [self.confirms for _ in publications]

    def acceptor(self, **app: Any) -> Acceptor:
        repository = cast("Any", self)
        return Acceptor(
            enrolments=repository,
            devices=repository,
            quotas=repository,
            sends=repository,
            outbox=Outbox(repository, most=10),
            publisher=repository,
            directory=directory(an_app(**app)),
            clock=still,
        )


def request(*users: UUID, ttl_seconds: int = 60) -> Request:
    content = Content(title="Hi", body="There", ttl_seconds=ttl_seconds)
    return Request((content,), tuple(Recipient(user, 0) for user in users or (USER,)))


async def test_accept_records_then_publishes_then_flags() -> None:
    world = World()
    send = await world.acceptor().accept(an_app(), request())
    assert isinstance(send, Send)
    assert world.done == ["charge 1", "insert", "publish", "flag"]
    assert world.publications[0].routing_key == "fcm.hi"


async def test_accept_refuses_all_when_one_is_not_enrolled() -> None:
    world = World()
    stranger = uuid4()
    refused = await world.acceptor().accept(an_app(), request(USER, stranger))
    assert refused == NotEnrolled({stranger})
    assert world.done == []


async def test_accept_takes_a_user_without_devices() -> None:
    world = World()
    world.devices = []
    send = await world.acceptor().accept(an_app(), request())
    assert isinstance(send, Send)
    assert send.published
    assert world.done == ["charge 1", "insert"]


async def test_accept_is_all_or_nothing_over_quota() -> None:
    world = World()
    world.remaining = 1
    app = an_app(daily_quota=5)
    with pytest.raises(QuotaExceededError) as caught:
        await world.acceptor(daily_quota=5).accept(app, request(USER, OTHER_USER))
    assert caught.value.members == {"remaining": 1}
    assert caught.value.headers["Retry-After"] == str(16 * 3_600 + 1)
    assert world.done == []


async def test_accept_sees_a_quota_that_was_just_raised() -> None:
    world = World()
    stale, fresh = an_app(daily_quota=0), {"daily_quota": 50}
    assert isinstance(await world.acceptor(**fresh).accept(stale, request()), Send)


async def test_accept_gives_units_back_when_nothing_was_recorded() -> None:
    world = World()
    world.insert_fails = RuntimeError("too large")
    with pytest.raises(RuntimeError):
        await world.acceptor().accept(an_app(), request())
    assert world.done == ["charge 1", "refund 1"]


async def test_accept_keeps_units_when_the_record_is_unknown() -> None:
    world = World()
    world.insert_fails = StorageUnavailable("timeout")
    with pytest.raises(StorageUnavailable):
        await world.acceptor().accept(an_app(), request())
    assert world.done == ["charge 1"]


async def test_accept_answers_when_the_broker_is_away() -> None:
    world = World()
    world.confirms = False
    assert isinstance(await world.acceptor().accept(an_app(), request()), Send)
    assert world.done == ["charge 1", "insert", "publish"]


async def test_accept_answers_when_the_flag_cannot_be_written() -> None:
    world = World()
    world.flag_fails = StorageUnavailable("timeout")
    assert isinstance(await world.acceptor().accept(an_app(), request()), Send)


@pytest.mark.parametrize(("unpublished", "is_full"), [(9, False), (10, True)])
async def test_accept_refuses_when_the_outbox_is_full(unpublished: int, is_full: bool) -> None:
    world = World()
    world.unpublished = unpublished
    if not is_full:
        assert isinstance(await world.acceptor().accept(an_app(), request()), Send)
        return
    with pytest.raises(UnavailableError) as caught:
        await world.acceptor().accept(an_app(), request())
    assert caught.value.headers == {"Retry-After": "30"}
    assert world.done == []


@pytest.mark.parametrize(("count", "lane"), [(1, "hi"), (10, "hi"), (11, "lo")])
def test_build_picks_the_lane(count: int, lane: str) -> None:
    send, _ = build(APP, request(*(uuid4() for _ in range(count))), [], still)
    assert send.lane == lane


def test_build_cuts_chunks_of_one_provider_and_at_most_100() -> None:
    counts: dict[Provider, int] = {"fcm": 201, "apns": 100}
    devices = [ActiveDevice(uuid4(), USER, p) for p, count in counts.items() for _ in range(count)]
    send, chunks = build(APP, request(), devices, still)
    sizes = sorted((chunk.provider, len(chunk.targets)) for chunk in chunks)
    assert sizes == [("apns", 100), ("fcm", 1), ("fcm", 100), ("fcm", 100)]
    assert send.delivery_count == 301
    assert [chunk.chunk_id for chunk in chunks] == [ids.chunk_id(send.send_id, i) for i in range(4)]
    targets = {target.device_id for chunk in chunks for target in chunk.targets}
    assert targets == {device.device_id for device in devices}


def test_build_gives_each_notification_its_own_deliveries() -> None:
    device, other = ActiveDevice(uuid4(), USER, "fcm"), ActiveDevice(uuid4(), OTHER_USER, "fcm")
    twice = request(USER, OTHER_USER, USER)
    _, (chunk,) = build(APP, twice, [device, other], still)
    assert chunk.targets == (
        Target(0, device.device_id),
        Target(1, other.device_id),
        Target(2, device.device_id),
    )


def test_build_keeps_a_chunk_until_its_last_deadline() -> None:
    contents = tuple(Content(title="t", body="b", ttl_seconds=ttl) for ttl in (0, 3_600))
    both = Request(contents, (Recipient(USER, 0), Recipient(USER, 1)))
    _, (chunk,) = build(APP, both, [ActiveDevice(uuid4(), USER, "fcm")], still)
    assert chunk.expires_at == NOW + timedelta(hours=1)
