"""Checks of what the seed says of sending to many users at once."""

from datetime import timedelta

from tests.conformance.answers import assert_invalid, instant, is_like
from tests.conformance.checks.registry import Checks
from tests.conformance.checks.sends import filled
from tests.conformance.requests import Request, made_by, sending
from tests.conformance.stage import Stage, texts
from tests.conformance.statements.table import STATEMENTS

CHECKS = Checks()


@CHECKS.of("bulk.same")
async def all_get_the_same(stage: Stage) -> None:
    users = await stage.users(3)
    data = {"route": "/schedule"}
    request = sending("bulk", users, data=data, ttl=60)

    made = made_by(await request.by(stage.caller("service")))

    assert [await stage.data(*pair) for pair in zip(made, users, strict=True)] == [data] * 3
    assert len({(await stage.notification(one))["expires_at"] for one in made}) == 1


@CHECKS.of("bulk.users")
async def each_user_has_a_notification(stage: Stage) -> None:
    users = await stage.users(3)

    made = made_by(await sending("bulk", users).by(stage.caller("service")))

    assert len(set(made)) == 3
    named = [(await stage.notification(one))["user_id"] for one in made]
    assert sorted(named) == sorted(texts(users))


@CHECKS.of("bulk.request")
async def the_example_of_a_bulk_is_accepted(stage: Stage) -> None:
    example = filled("bulk.request", await stage.users(3))
    service = stage.caller("service")

    answer = await service.post("/push/send/bulk", example)

    assert len(made_by(answer)) == 3
    del example["user_ids"]
    assert_invalid(await service.post("/push/send/bulk", example), "#/user_ids")


@CHECKS.of("bulk.response")
async def a_bulk_answers_an_id_for_each_user(stage: Stage) -> None:
    users, example = await stage.users(3), STATEMENTS["bulk.response"].example

    told = (await sending("bulk", users).by(stage.caller("service"))).json()

    assert is_like(told, example)
    assert told.keys() == example.keys()
    named = [(await stage.notification(one))["user_id"] for one in told["notification_ids"]]
    assert named == texts(users)


@CHECKS.of("batch.different")
async def each_entry_is_its_own(stage: Stage) -> None:
    users = await stage.users(3)
    rows = [
        {"user_id": user, "title": f"t{i}", "body": f"b{i}", "data": {"i": i}, "ttl": 60 * (i + 1)}
        for i, user in enumerate(texts(users))
    ]

    answer = await stage.caller("service").post("/push/send/batch", {"notifications": rows})

    made = made_by(answer)
    told = [await stage.notification(one) for one in made]
    assert [row["user_id"] for row in told] == texts(users)
    assert [await stage.data(*pair) for pair in zip(made, users, strict=True)] == [
        row["data"] for row in rows
    ]
    lives = [instant(row["expires_at"]) - instant(row["accepted_at"]) for row in told]
    assert lives == [timedelta(minutes=minutes) for minutes in (1, 2, 3)]


@CHECKS.of("batch.request")
async def the_example_of_a_batch_is_accepted(stage: Stage) -> None:
    users = await stage.users(2)
    request = Request("POST", "/push/send/batch", filled("batch.request", users))

    made = made_by(await request.by(stage.caller("service")))

    assert [(await stage.notification(one))["user_id"] for one in made] == texts(users)
