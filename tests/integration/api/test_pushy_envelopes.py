"""Encrypted bodies: both forms, keys that come and go in all processes, and nothing else opens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.services.envelopes import WORKS_FOR
from shared.storage.mongo import connect
from tests.front_door import running, settings_for
from tests.hostile_envelopes import hostile_envelopes
from tests.pushy_stage import (
    Json,
    MovedClock,
    PushyStage,
    assert_data,
    assert_done,
    assert_invalid,
    assert_refused,
)
from tests.sealing import Sealer
from tests.servers import Servers

TOKEN = "pushy-device-token"
DEVICE = {"token": TOKEN, "platform": "ANDROID", "language": "en"}
PUSH = {"title": "Hi", "content": "There", "to": [TOKEN]}
REFUSED = (400, "Encrypted payload cannot be opened")
JOSE = {"content-type": "application/jose"}
DAY = timedelta(days=1)
SECONDS_MAX = 1.0  # of a busy machine; a few milliseconds else


def sealed(sealer: Sealer, body: Any) -> str:
    return str(sealer.seal(body if isinstance(body, bytes) else json.dumps(body).encode()))


async def registered(pushy: PushyStage, compact: str) -> Any:
    return await pushy.post("/device-info", {"payload": compact})


async def test_the_public_key_is_told_with_all_that_is_needed(pushy: PushyStage) -> None:
    answer = await pushy.post("/sys/key-pair", None)

    data = answer.json()["data"]
    assert_data(answer, data)
    assert data.keys() == {"kid", "alg", "enc", "key", "expires_at"}
    assert (data["alg"], data["enc"]) == ("ECDH-ES+A256KW", "A256GCM")
    assert data["key"].keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert data["key"]["kid"] == data["kid"]
    today = pushy.clock().replace(hour=0, minute=0, second=0, microsecond=0)
    assert datetime.fromisoformat(data["expires_at"]) == today + DAY + WORKS_FOR
    for caller in (pushy.service(), pushy.user(None, "admin")):
        assert (await pushy.post("/sys/key-pair", None, caller)).json()["data"] == data


async def test_the_private_key_is_sealed_at_rest_and_forgotten_in_time(pushy: PushyStage) -> None:
    sealer = await pushy.sealer()

    rows = await pushy.api.database["keys"].find({"_id": {"$regex": "^envelope:"}})
    assert sealer.kid[:4] in {row["_id"][9:13] for row in rows}
    for row in rows:
        assert row.keys() == {"_id", "sealed", "created_at", "expires_at"}
        assert b'"d"' not in bytes(str(row), "utf-8")


@pytest.mark.parametrize("is_wrapped", [True, False])
async def test_both_forms_open_on_both_routes(pushy: PushyStage, *, is_wrapped: bool) -> None:
    sealer = await pushy.sealer()

    async def sent(path: str, body: Json) -> Any:
        compact = sealed(sealer, body)
        if is_wrapped:
            return await pushy.post(path, {"payload": compact})
        return await pushy.call(pushy.user(), "POST", path, compact, JOSE)

    assert_data(await sent("/device-info", DEVICE), {"token": TOKEN, "platform": "ANDROID"}, 201)
    assert_done(await sent("/notifications/send-dev", PUSH), "Notification sent successfully")
    (body,) = await pushy.pushes()
    assert body["to"] == [TOKEN]


@pytest.mark.parametrize(
    "fields",
    [
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": "Application/JOSE"},
        {"content-type": "application/jose; charset=UTF-8"},
    ],
)
async def test_types_are_read_as_media_types_are(pushy: PushyStage, fields: Json) -> None:
    compact = sealed(await pushy.sealer(), DEVICE)
    is_jose = "json" not in fields["content-type"]
    body = compact if is_jose else json.dumps({"payload": compact})

    done = await pushy.call(pushy.user(), "POST", "/device-info", body, fields)

    assert done.status_code == 201, done.text


async def test_the_same_validation_follows(pushy: PushyStage) -> None:
    sealer = await pushy.sealer()
    for body, pointer in (
        (DEVICE | {"platform": "MACOS"}, "#/platform"),
        (DEVICE | {"more": 1}, "#/more"),
        ({}, "#/token"),
        ([], "#"),
        (b"not json", "#"),
        (b'{"token":"a","token":"b","platform":"IOS"}', "#/token"),
        (b"\xff", "#"),
    ):
        answer = await registered(pushy, sealed(sealer, body))
        plain = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content-type": "application/json"}
        as_plain = await pushy.call(pushy.user(), "POST", "/device-info", plain, fields)
        assert_invalid(answer, pointer)
        assert answer.content == as_plain.content


async def test_an_envelope_in_an_envelope_is_no_request(pushy: PushyStage) -> None:
    sealer = await pushy.sealer()
    inner = sealed(sealer, DEVICE)

    assert_invalid(await registered(pushy, sealed(sealer, inner.encode())), "#")
    assert_invalid(await registered(pushy, sealed(sealer, {"payload": inner})), "#/payload")
    assert await pushy.tokens() == []


async def test_hostile_envelopes_are_all_answered_alike(pushy: PushyStage) -> None:
    sealer = await pushy.sealer()
    assert_refused(first := await registered(pushy, "x"), *REFUSED)
    told, slow = [], []

    for name, compact in hostile_envelopes(sealer, json.dumps(DEVICE).encode()):
        began = time.monotonic()
        answers = [await registered(pushy, compact)] if len(compact) < 8_000 else []
        if compact.isascii() and 0 < len(compact) < 8_192:
            answers.append(await pushy.call(pushy.user(), "POST", "/device-info", compact, JOSE))
        if any((a.status_code, a.content) != (400, first.content) for a in answers):
            told.append((name, [answer.text for answer in answers]))
        if time.monotonic() - began > SECONDS_MAX:
            slow.append(name)

    assert (told, slow) == ([], [])
    assert await pushy.tokens() == []


@pytest.mark.parametrize(
    ("body", "is_sealed"),
    [
        ('{"payload":"%s","payload":"%s"}', True),
        ('{"payload":"x","payload":"%s"}', True),
        ('{"payload":"%s","\\u0070ayload":"%s"}', True),
        ('{"payload":"\\"%s\\""}', True),
        ('{"payload":1}', False),
        ('{"payload":null}', False),
        ('{"payload":["%s"]}', False),
        ('{"payload":"%s","more":1}', False),
        ('{"payload":"%s"', False),
        ('[{"payload":"%s"}]', False),
        ('{"Payload":"%s"}', False),
    ],
)
async def test_a_wrapper_has_one_member_once(
    pushy: PushyStage, body: str, *, is_sealed: bool
) -> None:
    compact = sealed(await pushy.sealer(), DEVICE)
    fields = {"content-type": "application/json"}

    refused = await pushy.call(
        pushy.user(), "POST", "/device-info", body.replace("%s", compact), fields
    )

    message = REFUSED[1] if is_sealed else "Validation failed"
    assert (refused.status_code, refused.json()["message"]) == (400, message)
    assert await pushy.tokens() == []


async def test_a_wrapper_may_be_written_with_space(pushy: PushyStage) -> None:
    compact = sealed(await pushy.sealer(), DEVICE)
    fields = {"content-type": "application/json"}
    body = f' {{\n\t"payload" : "{compact}"\r\n}} '

    assert (await pushy.call(pushy.user(), "POST", "/device-info", body, fields)).status_code == 201


async def test_a_member_called_payload_inside_is_no_wrapper(pushy: PushyStage) -> None:
    done = await pushy.send([TOKEN], additional_data={"payload": "a.b.c.d.e"})

    assert_done(done, "Notification sent successfully")


# --- sizes


async def test_a_hundred_thousand_tokens_may_come_encrypted(pushy: PushyStage) -> None:
    body = PUSH | {"to": [f"{number:022x}" for number in range(100_000)]}
    compact = sealed(await pushy.sealer(), body)

    sent = await pushy.post("/notifications/send-dev", {"payload": compact}, pushy.service())

    assert_done(sent, "Notification sent successfully")
    assert (await pushy.simulators.get("/pushy/stats"))["accepted"] == 100_000


async def test_what_is_sealed_may_have_eight_mebibytes(pushy: PushyStage) -> None:
    sealer = await pushy.sealer()
    plain = json.dumps(PUSH).encode()
    largest = sealed(sealer, plain.ljust(8_388_608))
    larger = sealed(sealer, plain.ljust(8_388_609))
    path, caller = "/notifications/send-dev", pushy.service()

    assert_done(
        await pushy.post(path, {"payload": largest}, caller), "Notification sent successfully"
    )
    assert_refused(await pushy.post(path, {"payload": larger}, caller), *REFUSED)


async def test_a_sealed_device_is_small(pushy: PushyStage) -> None:
    sealer = await pushy.sealer()
    fits = sealed(sealer, json.dumps(DEVICE).encode().ljust(5_700))
    larger = sealed(sealer, json.dumps(DEVICE).encode().ljust(6_200))

    assert (await registered(pushy, fits)).status_code == 201
    assert_refused(await registered(pushy, larger), 413, "Request body too large")


# --- keys that come and go


@pytest.fixture
async def processes(servers: Servers, at_pushy: Json) -> AsyncIterator[list[PushyStage]]:
    """One app in two processes with clocks of their own, which stand at a noon."""
    settings = settings_for(servers, **at_pushy)
    clocks = [MovedClock(), MovedClock()]
    now = datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0) + DAY
    for clock in clocks:
        clock.ahead = noon - now
    async with (
        connect(settings) as database,
        running(settings, database, clocks[0]) as one,
        running(settings, database, clocks[1]) as two,
    ):
        first, second = (
            PushyStage(api, None, clock)  # type: ignore[arg-type]  # nothing gets to Pushy
            for api, clock in zip((one, two), clocks, strict=True)
        )
        first.app_id = second.app_id = await one.new_app()
        yield [first, second]
        await database.drop()


def move(processes: list[PushyStage], by: timedelta) -> None:
    for process in processes:
        process.clock.ahead += by


async def test_processes_agree_on_the_key_of_a_day(processes: list[PushyStage]) -> None:
    for _ in range(3):
        sealers = await asyncio.gather(*(p.sealer() for p in (*processes, *processes)))
        assert len({sealer.kid for sealer in sealers}) == 1
        move(processes, DAY)


async def test_keys_are_new_each_day(processes: list[PushyStage]) -> None:
    kids = []
    for _ in range(4):
        kids += [(await process.sealer()).kid for process in processes]
        move(processes, DAY / 2)

    assert len(set(kids)) in (2, 3)
    assert kids == sorted(kids, key=lambda kid: kid[:8])


async def test_a_key_works_for_a_week_after_its_day_in_every_process(
    processes: list[PushyStage],
) -> None:
    one, other = processes
    compact = sealed(await one.sealer(), DEVICE)
    until_end = timedelta(hours=12) + WORKS_FOR

    for _ in range(7):
        move(processes, DAY)
        for process in processes:
            await process.sealer()  # today's
        assert (await registered(other, compact)).status_code == 201
    move(processes, until_end - 7 * DAY - timedelta(minutes=1))
    for process in processes:
        assert (await registered(process, compact)).status_code == 201
    move(processes, timedelta(minutes=2))
    for process in processes:
        assert_refused(await registered(process, compact), *REFUSED)


async def test_a_key_that_expired_is_refused_although_it_is_still_there(
    processes: list[PushyStage],
) -> None:
    one, other = processes
    sealer = await one.sealer()
    move(processes, timedelta(days=9))

    assert_refused(await registered(other, sealed(sealer, DEVICE)), *REFUSED)
    rows = await one.api.database["keys"].find({"_id": {"$regex": "^envelope:"}})
    assert len(rows) == 1


async def test_a_process_whose_clock_is_behind_takes_tomorrows_key(
    processes: list[PushyStage],
) -> None:
    one, behind = processes
    midnight = one.clock().replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    move(processes, midnight - one.clock() + timedelta(seconds=10))
    behind.clock.ahead -= timedelta(seconds=30)
    sealer = await one.sealer()
    assert (await behind.sealer()).kid != sealer.kid

    assert (await registered(behind, sealed(sealer, DEVICE))).status_code == 201


async def test_asking_for_a_key_too_early_does_not_keep_it_shut(
    processes: list[PushyStage],
) -> None:
    one, other = processes
    today = one.clock()
    early = Sealer((await other.sealer()).epk, f"{today:%Y%m%d}.{'A' * 16}")
    move(processes, DAY)
    tomorrow = Sealer(early.epk, f"{one.clock():%Y%m%d}.{'A' * 16}")
    assert_refused(await registered(other, sealed(tomorrow, DEVICE)), *REFUSED)

    sealer = await one.sealer()

    assert (await registered(other, sealed(sealer, DEVICE))).status_code == 201
