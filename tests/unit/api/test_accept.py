"""Accepting: chunks are right, and every failure leaves nothing or a record."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from api.errors import QuotaExceededError, UnavailableError
from api.services.accept import Accepted, Acceptor, Allowance, NotEnrolled, NotSchedulable
from api.services.outbox import Outbox
from api.services.planning import Request, build
from shared import ids
from shared.domain.deliveries import Chunk, Target
from shared.domain.devices import ActiveDevice, Platform, Provider
from shared.domain.notifications import Content
from shared.domain.options import Options
from shared.domain.sends import Recipient, Send
from shared.queue.publisher import Publication
from shared.storage.mongo import StorageUnavailable
from shared.storage.quotas import Charge
from tests.unit.api.doubles import APP, NOW, OTHER_USER, USER, an_app, directory, still

DAY = NOW.replace(hour=0)


def a_device(
    user: UUID, provider: Provider = "fcm", platform: Platform = "android"
) -> ActiveDevice:
    return ActiveDevice(uuid4(), user, provider, platform)


class World:
    """All collaborators of the acceptor; what they do is set by the test, what was done is kept."""

    def __init__(self) -> None:
        self.enrolled_users = {USER, OTHER_USER}
        self.devices = [a_device(USER)]
        self.remaining = 100
        self.unpublished = 0
        self.confirms = True
        self.insert_fails: Exception | None = None
        self.flag_fails: Exception | None = None
        self.done: list[str] = []
        self.sends: list[tuple[Send, list[Chunk]]] = []
        self.publications: list[Publication] = []
        self.claims: dict[UUID, UUID] = {}

    async def enrolled(self, _app: UUID, users: set[UUID]) -> set[UUID]:
        return users & self.enrolled_users

    async def active_of_users(self, _app: UUID, _users: set[UUID]) -> list[ActiveDevice]:
        return self.devices

    async def charge(self, _app: UUID, units: int, limit: int | None) -> Charge:
        if limit is not None and units > min(self.remaining, limit):
            return Charge(False, DAY, self.remaining)
        self.done.append(f"charge {units}")
        return Charge(True, DAY, None if limit is None else limit - units)

    async def refund(self, _app: UUID, units: int, day: Any) -> None:
        assert day == DAY
        self.done.append(f"refund {units}")

    async def insert(self, send: Send, chunks: list[Chunk], *, claim: UUID | None) -> bool:
        if self.insert_fails:
            raise self.insert_fails
        if claim is not None and claim in self.claims:
            return False
        self.done.append("insert")
        self.sends.append((send, chunks))
        if claim is not None:
            self.claims[claim] = send.send_id
        return True

    async def of_claim(self, claim: UUID) -> UUID | None:
        return self.claims.get(claim)

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
    assert isinstance(send, Accepted)
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
    assert isinstance(send, Accepted)
    assert world.sends[0][0].published
    assert world.done == ["charge 1", "insert"]


async def test_accept_is_all_or_nothing_over_quota() -> None:
    world = World()
    world.remaining = 1
    app = an_app(daily_quota=5)
    with pytest.raises(QuotaExceededError) as caught:
        await world.acceptor(daily_quota=5).accept(app, request(USER, OTHER_USER))
    assert caught.value.members == {"remaining": 1}
    assert caught.value.headers["Retry-After"] == str(16 * 3_600)
    assert world.done == []


async def test_accept_sees_a_quota_that_was_just_raised() -> None:
    world = World()
    stale, fresh = an_app(daily_quota=0), {"daily_quota": 50}
    assert isinstance(await world.acceptor(**fresh).accept(stale, request()), Accepted)


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
    assert isinstance(await world.acceptor().accept(an_app(), request()), Accepted)
    assert world.done == ["charge 1", "insert", "publish"]


async def test_accept_answers_when_the_flag_cannot_be_written() -> None:
    world = World()
    world.flag_fails = StorageUnavailable("timeout")
    assert isinstance(await world.acceptor().accept(an_app(), request()), Accepted)


async def test_accept_tells_what_is_left_of_the_quota() -> None:
    accepted = await World().acceptor(daily_quota=5).accept(an_app(daily_quota=5), request())
    assert isinstance(accepted, Accepted)
    assert accepted.allowance == Allowance(5, 4, 16 * 3_600)


async def test_accept_records_once_under_a_claim_and_charges_once() -> None:
    world, claim = World(), uuid4()
    first = await world.acceptor().accept(an_app(), request(), claim=claim)
    second = await world.acceptor().accept(an_app(), request(), claim=claim)
    assert isinstance(first, Accepted)
    assert second == Accepted(first.send_id, is_replayed=True)
    assert world.done == ["charge 1", "insert", "publish", "flag", "charge 1", "refund 1"]


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [
        (timedelta(days=30), "scheduled"),
        (timedelta(days=30, milliseconds=1), "refused"),
        (timedelta(milliseconds=1), "scheduled"),
        (timedelta(0), "at once"),
        (timedelta(seconds=-60), "at once"),
        (timedelta(seconds=-60, milliseconds=-1), "refused"),
    ],
)
async def test_accept_takes_times_within_30_days(ahead: timedelta, outcome: str) -> None:
    world = World()
    content = Content(title="Hi", body="There", send_at=NOW + ahead)
    wanted = Request((content,), (Recipient(USER, 0),))
    answer = await world.acceptor().accept(an_app(), wanted)
    if outcome == "refused":
        assert answer == NotSchedulable({0})
        assert world.done == []
        return
    send, chunks = world.sends[0]
    assert (send.due_at is not None) is (outcome == "scheduled")
    assert bool(chunks) is (outcome == "at once")


@pytest.mark.parametrize(("unpublished", "is_full"), [(9, False), (10, True)])
async def test_accept_refuses_when_the_outbox_is_full(unpublished: int, is_full: bool) -> None:
    world = World()
    world.unpublished = unpublished
    if not is_full:
        assert isinstance(await world.acceptor().accept(an_app(), request()), Accepted)
        return
    with pytest.raises(UnavailableError) as caught:
        await world.acceptor().accept(an_app(), request())
    assert caught.value.headers == {"Retry-After": "30"}
    assert world.done == []


@pytest.mark.parametrize(("count", "lane"), [(1, "hi"), (10, "hi"), (11, "lo")])
def test_build_picks_the_lane(count: int, lane: str) -> None:
    send, _ = build(APP, request(*(uuid4() for _ in range(count))), [], NOW)
    assert send.lane == lane


def test_build_cuts_chunks_of_one_provider_and_at_most_100() -> None:
    counts: dict[Provider, int] = {"fcm": 201, "apns": 100}
    devices = [a_device(USER, p) for p, count in counts.items() for _ in range(count)]
    send, chunks = build(APP, request(), devices, NOW)
    sizes = sorted((chunk.provider, len(chunk.targets)) for chunk in chunks)
    assert sizes == [("apns", 100), ("fcm", 1), ("fcm", 100), ("fcm", 100)]
    assert send.delivery_count == 301
    assert [chunk.chunk_id for chunk in chunks] == [ids.chunk_id(send.send_id, i) for i in range(4)]
    targets = {target.device_id for chunk in chunks for target in chunk.targets}
    assert targets == {device.device_id for device in devices}


def test_build_gives_each_notification_its_own_deliveries() -> None:
    device, other = a_device(USER), a_device(OTHER_USER)
    twice = request(USER, OTHER_USER, USER)
    _, (chunk,) = build(APP, twice, [device, other], NOW)
    assert chunk.targets == (
        Target(0, device.device_id),
        Target(1, other.device_id),
        Target(2, device.device_id),
    )


def test_build_keeps_a_chunk_until_its_last_deadline() -> None:
    contents = tuple(Content(title="t", body="b", ttl_seconds=ttl) for ttl in (0, 3_600))
    both = Request(contents, (Recipient(USER, 0), Recipient(USER, 1)))
    _, (chunk,) = build(APP, both, [a_device(USER)], NOW)
    assert chunk.expires_at == NOW + timedelta(hours=1)


def test_build_leaves_out_platforms_that_are_not_meant() -> None:
    content = Content(title="t", body="b", options=Options(platforms=("ios", "web")))
    devices = [a_device(USER, "fcm", platform) for platform in ("ios", "android", "web")]
    _, (chunk,) = build(APP, Request((content,), (Recipient(USER, 0),)), devices, NOW)
    assert [t.device_id for t in chunk.targets] == [devices[0].device_id, devices[2].device_id]


def test_build_makes_no_chunks_for_what_is_scheduled() -> None:
    later = NOW + timedelta(hours=1)
    contents = (
        Content(title="now", body="b"),
        Content(title="later", body="b", ttl_seconds=60, send_at=later),
    )
    both = Request(contents, (Recipient(USER, 0), Recipient(USER, 1)))
    send, (chunk,) = build(APP, both, [a_device(USER)], NOW)
    assert [target.notification for target in chunk.targets] == [0]
    assert (send.due_at, send.chunk_count, send.delivery_count) == (later, 1, 1)
    assert [send.is_scheduled(i) for i in (0, 1)] == [False, True]
    assert send.expires_at(1) == later + timedelta(seconds=60)
