"""Checks of what the Pushy seed says of direct pushes."""

import json
from typing import Any

from tests.conformance.checks.registry import Checks
from tests.conformance.pushy.device_checks import answered, without
from tests.conformance.pushy.route_checks import SENT, TOKEN, asked
from tests.conformance.pushy.statements import STATEMENTS
from tests.pushy_stage import PushyStage, assert_done, assert_invalid

CHECKS = Checks()
Json = dict[str, Any]


async def data_of(stage: PushyStage, **changes: Any) -> Json:
    """Pushy's `data` of an accepted push."""
    assert_done(await stage.send([TOKEN], **changes), SENT)
    (push,) = await stage.pushes()
    data: Json = push["data"]
    return data


@CHECKS.of("send.tokens")
async def one_token_and_several_get_a_push(stage: PushyStage) -> None:
    for tokens in ([TOKEN], [TOKEN, "b", "c"]):
        assert_done(await stage.send(tokens), SENT)

    assert [push["to"] for push in await stage.pushes()] == [[TOKEN], [TOKEN, "b", "c"]]


@CHECKS.of("send.plain")
async def a_push_may_come_plain(stage: PushyStage) -> None:
    assert_done(await asked(stage, "send", stage.service()), SENT)


@CHECKS.of("send.encrypted")
async def a_push_may_come_encrypted(stage: PushyStage) -> None:
    body = json.dumps(STATEMENTS["send.request"].example).encode()
    compact = str((await stage.sealer()).seal(body))
    plain = await asked(stage, "send", stage.service())

    wrapped = await stage.post("/notifications/send-dev", {"payload": compact}, stage.service())

    assert (wrapped.status_code, wrapped.content) == (plain.status_code, plain.content)
    assert len(await stage.pushes()) == 1  # two that are alike


@CHECKS.of("send.request")
async def the_example_of_a_push_is_accepted(stage: PushyStage) -> None:
    assert (await asked(stage, "send", stage.service())).status_code == 200

    (push,) = await stage.pushes()
    body = STATEMENTS["send.request"].example
    shown = {"title": body["title"], "body": body["content"]}
    sent = {"title": body["title"], "message": body["content"], "action": body["action"]}
    assert push == {
        "to": body["to"],
        "data": sent | body["additional_data"],
        "notification": shown,
    }


@CHECKS.of_each({"send.title": ("title",), "send.content": ("content",)})
async def a_text_is_required(stage: PushyStage, member: str) -> None:
    await without(stage, "send", member)
    empty: Json = {member: ""}
    assert_invalid(await stage.send([TOKEN], **empty), f"#/{member}")


@CHECKS.of("send.to")
async def a_token_is_required(stage: PushyStage) -> None:
    await without(stage, "send", "to")
    assert_invalid(await stage.send([]), "#/to")


@CHECKS.of("send.action")
async def an_action_is_merged_when_there_is_one(stage: PushyStage) -> None:
    assert (await data_of(stage, action="wallet_refresh"))["action"] == "wallet_refresh"
    await stage.simulators.reset()
    assert "action" not in await data_of(stage)


@CHECKS.of("send.additional_data")
async def additional_data_is_merged_at_the_top(stage: PushyStage) -> None:
    given = {"wallet_id": 17, "source": "topup", "nested": {"a": [1.5, None, True]}, "": "新"}

    data = await data_of(stage, additional_data=given)

    assert data == {"title": "Hi", "message": "There"} | given


@CHECKS.of("send.response")
async def sending_is_answered_as_in_the_seed(stage: PushyStage) -> None:
    answer = await asked(stage, "send", stage.service())

    assert (answer.status_code, answer.json()) == (200, answered("send.response"))


@CHECKS.of("send.only_success")
async def only_success_and_a_message_are_told(stage: PushyStage) -> None:
    for tokens in ([TOKEN], [TOKEN, "dead-token"], [f"t{n}" for n in range(1_000)]):
        assert (await stage.send(tokens)).json() == answered("send.response")


@CHECKS.of("send.no_details")
async def no_details_are_told(stage: PushyStage) -> None:
    answer = await stage.send([TOKEN, "dead-token"])

    (entry, _) = await stage.simulators.entries("pushy")
    for detail in (entry["id"], "dead-token", "failed", "devices", '"id"'):
        assert detail not in answer.text


@CHECKS.of("send.details_exist")
async def operators_find_the_details(stage: PushyStage) -> None:
    answer = await stage.send([TOKEN, "b", "dead-token"])

    path = f"/notifications/{answer.headers['x-notification-id']}"
    found = (await stage.get(path, stage.service())).json()["data"]

    (entry, *_) = await stage.simulators.entries("pushy")
    told = {name: found[name] for name in ("pushy_id", "devices", "failed")}
    assert told == {"pushy_id": entry["id"], "devices": 2, "failed": ["dead-token"]}
