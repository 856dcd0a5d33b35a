"""Checks of what the seed says of the three sends."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.conformance.answers import assert_invalid, assert_refused_at, instant, is_like
from tests.conformance.checks.registry import Checks
from tests.conformance.requests import made_by, request_of, sending
from tests.conformance.stage import Stage, texts
from tests.conformance.statements.sends import SENDS
from tests.conformance.statements.table import STATEMENTS

CHECKS = Checks()


def filled(statement: str, user_ids: list[UUID]) -> Any:
    """The statement's example with these users in it."""
    example = STATEMENTS[statement].example
    if "notifications" in example:
        rows = zip(example["notifications"], texts(user_ids), strict=True)
        return {"notifications": [row | {"user_id": user_id} for row, user_id in rows]}
    if "user_ids" in example:
        assert len(example["user_ids"]) == len(user_ids)
        return example | {"user_ids": texts(user_ids)}
    return example | {"user_id": str(user_ids[0])}


@CHECKS.of_each({f"{send}.route": (send,) for send in SENDS})
async def notifications_are_the_calling_apps(stage: Stage, send: str) -> None:
    (made,) = made_by(await request_of(send, stage).by(stage.caller("service")))

    path = f"/push/notifications/{made}"
    assert (await stage.caller("service").get(path)).status_code == 200
    assert (await stage.caller("foreign_service").get(path)).status_code == 404
    assert await stage.used_today() == 1


@CHECKS.of("send.single_user")
async def a_send_is_for_one_user(stage: Stage) -> None:
    await stage.users(2)

    made = await stage.send()

    assert (await stage.notification(made))["user_id"] == str(stage.user_id)
    listed = await stage.caller("service").get("/push/notifications")
    assert [row["notification_id"] for row in listed.json()["notifications"]] == [made]


@CHECKS.of("send.all_devices")
async def a_send_goes_to_the_users_devices(stage: Stage) -> None:
    mine = [await stage.device(token) for token in ("one", "two", "three")]
    gone = await stage.device("gone")
    await stage.caller("user").delete(f"/push/devices/{gone}")
    await stage.device("of-another-user", user_id=uuid4())
    await stage.device("in-another-app", app_id=stage.other_app_id)

    notification = await stage.notification(await stage.send())

    assert sorted(row["device_id"] for row in notification["devices"]) == sorted(mine)


@CHECKS.of("send.request")
async def the_example_of_a_send_is_accepted(stage: Stage) -> None:
    example = filled("send.request", [stage.user_id])

    assert made_by(await stage.caller("service").post("/push/send", example))


@CHECKS.of_each(
    {
        "send.request.user_id": ("user_id", ["uuid1", "", 5, None]),
        "send.request.title": ("title", ["", 5, None, ["Hi"]]),
        "send.request.body": ("body", [5, None, {"text": "Hi"}]),
    }
)
async def a_field_is_required(stage: Stage, name: str, bad: list[Any]) -> None:
    service, valid = stage.caller("service"), sending("send", [stage.user_id]).body
    without = {key: value for key, value in valid.items() if key != name}

    for body in (without, *(valid | {name: value} for value in bad)):
        assert_invalid(await service.post("/push/send", body), f"#/{name}")
    assert await stage.used_today() == 0


@CHECKS.of("send.request.data")
async def data_is_an_object_and_kept_as_it_is(stage: Stage) -> None:
    whole = STATEMENTS["send.request"].example["data"]
    kept = [whole, {}, {"a.b": [1, 2.5, None, {"$c": "é\U0001f600"}]}]

    for data in kept:
        assert await stage.data(await stage.send(data=data), stage.user_id) == data
    assert await stage.data(await stage.send(), stage.user_id) is None
    for bad in ([whole], "text", 5, None):
        request = sending("send", [stage.user_id], data=bad)
        assert_invalid(await request.by(stage.caller("service")), "#/data")


@CHECKS.of("send.request.ttl")
async def a_notification_expires_after_its_ttl(stage: Stage) -> None:
    notification = await stage.notification(await stage.send(ttl=3600))

    lives = instant(notification["expires_at"]) - instant(notification["accepted_at"])
    assert lives == timedelta(hours=1)
    assert await stage.send()
    for bad in (-1, 1.5, "3600", None):
        request = sending("send", [stage.user_id], ttl=bad)
        assert_invalid(await request.by(stage.caller("service")), "#/ttl")


@CHECKS.of_each({"send.response.status": ("send",), "bulk.response.status": ("bulk",)})
async def a_send_is_a_200(stage: Stage, send: str) -> None:
    answer = await request_of(send, stage).by(stage.caller("service"))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@CHECKS.of("send.response")
async def a_send_answers_its_id(stage: Stage) -> None:
    example = STATEMENTS["send.response"].example

    told = (await request_of("send", stage).by(stage.caller("service"))).json()

    assert is_like(told, example)
    assert told.keys() == example.keys()


@CHECKS.of("send.limit.user")
async def a_user_of_another_app_is_refused_until_enrolled(stage: Stage) -> None:
    user_id = uuid4()
    await stage.enroll(user_id, app_id=stage.other_app_id)
    service, request = stage.caller("service"), sending("send", [user_id])

    assert_refused_at(await request.by(service), "User not enrolled", "#/user_id")
    await stage.enroll(user_id)
    assert made_by(await request.by(service))
