"""Checks of what the seed says of listing and unregistering devices."""

from uuid import uuid4

from tests.conformance.answers import instant, is_like
from tests.conformance.checks.registry import Checks
from tests.conformance.requests import request_of
from tests.conformance.stage import Stage
from tests.conformance.statements.registrations import PER_HOUR, PLATFORMS
from tests.conformance.statements.table import STATEMENTS

CHECKS = Checks()
PAGE = 100  # rows without a `limit`


@CHECKS.of("devices.list.route")
async def a_list_is_of_the_app_in_the_path(stage: Stage) -> None:
    await stage.device(app_id=stage.other_app_id)
    mine = await stage.device()

    page = await stage.devices()

    assert [row["device_id"] for row in page["devices"]] == [mine]


@CHECKS.of("devices.list.all")
async def every_device_is_listed_once(stage: Stage) -> None:
    users = [uuid4() for _ in range(PAGE // PER_HOUR + 1)]
    registered = [
        await stage.device(f"token-{user_id}-{number}", user_id=user_id)
        for user_id in users
        for number in range(PER_HOUR)
    ]

    first = await stage.devices()
    second = await stage.devices(f"?cursor={first['next_cursor']}")

    rows = [row["device_id"] for page in (first, second) for row in page["devices"]]
    assert sorted(rows) == sorted(registered)
    assert first["total"] == second["total"] == len(registered)
    assert "next_cursor" not in second


@CHECKS.of("devices.list.response.status")
async def a_list_is_a_200(stage: Stage) -> None:
    answer = await request_of("devices.list", stage).by(stage.admin)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@CHECKS.of("devices.list.response")
async def a_list_has_its_members(stage: Stage) -> None:
    await stage.device()

    page = await stage.devices()

    assert len(page["devices"]) == 1
    assert is_like(page, STATEMENTS["devices.list.response"].example)


@CHECKS.of("devices.list.response.device_id")
async def rows_have_the_registered_ids(stage: Stage) -> None:
    registered = [await stage.device(token) for token in ("one", "two")]

    assert [row["device_id"] for row in (await stage.devices())["devices"]] == registered


@CHECKS.of("devices.list.response.user_id")
async def rows_have_their_users(stage: Stage) -> None:
    users = [uuid4(), uuid4()]
    for user_id in users:
        await stage.device(f"token-{user_id}", user_id=user_id)

    rows = (await stage.devices())["devices"]

    assert [row["user_id"] for row in rows] == [str(user_id) for user_id in users]


@CHECKS.of("devices.list.response.platform")
async def rows_have_their_platforms(stage: Stage) -> None:
    for platform in PLATFORMS:
        await stage.device(f"token-{platform}", platform=platform)

    assert [r["platform"] for r in (await stage.devices())["devices"]] == list(PLATFORMS)


@CHECKS.of("devices.list.response.last_seen_at")
async def rows_say_when_they_were_seen(stage: Stage) -> None:
    before = stage.clock()
    await stage.device()
    after = stage.clock()

    (row,) = (await stage.devices())["devices"]

    assert row["last_seen_at"].endswith("Z")
    assert before <= instant(row["last_seen_at"]) <= after


@CHECKS.of("devices.list.response.total")
async def the_total_is_of_all_devices(stage: Stage) -> None:
    for number in range(3):
        await stage.device(f"token-{number}")

    page = await stage.devices("?limit=1")

    assert (len(page["devices"]), page["total"]) == (1, 3)


@CHECKS.of("unregister.route")
async def only_the_device_in_the_path_goes(stage: Stage) -> None:
    gone, stays = [await stage.device(token) for token in ("one", "two")]

    await stage.caller("user").delete(f"/push/devices/{gone}")

    assert [row["device_id"] for row in (await stage.devices())["devices"]] == [stays]


@CHECKS.of("unregister.purpose")
async def an_unregistered_device_gets_nothing(stage: Stage) -> None:
    device_id = await stage.device()

    await stage.caller("user").delete(f"/push/devices/{device_id}")

    assert (await stage.devices())["total"] == (await stage.config())["device_count"] == 0
    notification = await stage.notification(await stage.send())
    assert (notification["status"], notification["devices"]) == ("no_devices", [])


@CHECKS.of("unregister.response.status")
async def an_unregistration_is_a_200(stage: Stage) -> None:
    path = f"/push/devices/{await stage.device()}"

    assert (await stage.caller("user").delete(path)).status_code == 200


@CHECKS.of("unregister.response")
async def an_unregistration_is_ok(stage: Stage) -> None:
    path = f"/push/devices/{await stage.device()}"

    answer = await stage.caller("user").delete(path)

    assert answer.json() == STATEMENTS["unregister.response"].example
