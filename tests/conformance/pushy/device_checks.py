"""Checks of what the Pushy seed says of devices and topics."""

import asyncio
import json
from typing import Any
from uuid import uuid4

from tests.conformance.checks.registry import Checks
from tests.conformance.pushy.route_checks import TOKEN, asked, request_of
from tests.conformance.pushy.statements import LANGUAGES, PLATFORMS, STATEMENTS
from tests.pushy_stage import TRACE_ID, PushyStage, assert_invalid, assert_refused

CHECKS = Checks()
INVALID = (400, "Invalid device token")
Json = dict[str, Any]


def a_device(**changes: Any) -> Json:
    return STATEMENTS["register.request"].example | changes


def answered(statement: str) -> Json:
    """The seed's answer, as it must come to the last member."""
    return STATEMENTS[statement].example | {"trace_id": TRACE_ID}


async def without(stage: PushyStage, route: str, *members: str) -> None:
    """The seed's request without a member is a 400 that names it."""
    method, path, body = request_of(route)
    for member in members:
        left = {name: value for name, value in body.items() if name != member}
        assert_invalid(await stage.call(stage.user(), method, path, left), f"#/{member}")


@CHECKS.of("register.stores")
async def a_token_is_the_callers(stage: PushyStage) -> None:
    await asked(stage, "register")

    row = await stage.row()
    assert (row["provider"], row["active"]) == ("pushy", True)
    assert TOKEN not in str(row)
    assert (await stage.tokens(), await stage.tokens(uuid4())) == ([TOKEN], [])


@CHECKS.of("register.plain")
async def a_device_may_come_plain(stage: PushyStage) -> None:
    assert (await asked(stage, "register")).status_code == 201


@CHECKS.of("register.encrypted")
async def a_device_may_come_encrypted(stage: PushyStage) -> None:
    plain = await asked(stage, "register")
    compact = str((await stage.sealer()).seal(json.dumps(a_device()).encode()))

    wrapped = await stage.post("/device-info", {"payload": compact})

    assert (wrapped.status_code, wrapped.content) == (plain.status_code, plain.content)


@CHECKS.of("register.request")
async def the_example_of_a_device_is_accepted(stage: PushyStage) -> None:
    assert (await asked(stage, "register")).status_code == 201
    await without(stage, "register", "token", "platform")


@CHECKS.of_each({f"register.platform.{name}": (name,) for name in PLATFORMS})
async def a_platform_is_accepted(stage: PushyStage, platform: str) -> None:
    answer = await stage.post("/device-info", a_device(platform=platform))

    data = {"token": TOKEN, "platform": platform}
    assert (answer.status_code, answer.json()["data"]) == (201, data)
    assert (await stage.get("/device-info")).json()["data"] == [data]


@CHECKS.of("register.platform")
async def no_other_platform_is_accepted(stage: PushyStage) -> None:
    for platform in ("ios", "android", "web", "ELECTRON", "", None, 1):
        assert_invalid(await stage.post("/device-info", a_device(platform=platform)), "#/platform")


@CHECKS.of_each({f"register.language.{name}": (name,) for name in LANGUAGES})
async def a_language_is_accepted(stage: PushyStage, language: str) -> None:
    await stage.begin(TOKEN, language=language)

    assert (await stage.row())["language"] == language


@CHECKS.of("register.language")
async def no_other_language_is_accepted(stage: PushyStage) -> None:
    for language in ("de", "EN", "zh-CN", "", None):
        assert_invalid(await stage.post("/device-info", a_device(language=language)), "#/language")
    await stage.post("/device-info", {"token": TOKEN, "platform": "ANDROID"})
    assert (await stage.row())["language"] == "en"


@CHECKS.of("register.session")
async def many_at_once_leave_one_session_each_at_most(stage: PushyStage) -> None:
    users, tokens = [uuid4() for _ in range(7)], [f"token-{number}" for number in range(7)]

    await asyncio.gather(*(stage.begin(token, user) for user in users for token in tokens))

    active = {"app_id": stage.app_id, "active": True}
    rows = await stage.api.database["devices"].find(active)
    assert len({row["user_id"] for row in rows}) == len(rows) > 0
    assert len({bytes(row["token_hash"]) for row in rows}) == len(rows)


@CHECKS.of("register.session.user")
async def another_token_ends_the_users_first_one(stage: PushyStage) -> None:
    await stage.begin(TOKEN)
    await stage.begin("another")

    assert await stage.tokens() == ["another"]


@CHECKS.of("register.session.token")
async def another_user_ends_the_tokens_first_one(stage: PushyStage) -> None:
    other = uuid4()
    await stage.begin(TOKEN)
    await stage.begin(TOKEN, other)

    assert (await stage.tokens(), await stage.tokens(other)) == ([], [TOKEN])


@CHECKS.of("register.response")
async def registering_is_answered_as_in_the_seed(stage: PushyStage) -> None:
    answer = await asked(stage, "register")

    assert (answer.status_code, answer.json()) == (201, answered("register.response"))


@CHECKS.of("list.rows")
async def all_pushy_tokens_are_listed(stage: PushyStage) -> None:
    device = {"app_id": str(stage.app_id), "platform": "android"}
    for provider, token in (("pushy", "second"), ("fcm", "third")):
        body = device | {"provider": provider, "push_token": token}
        assert (await stage.user().post("/push/devices/register", body)).status_code == 201
    assert await stage.tokens() == ["second"]

    await stage.begin(TOKEN)

    assert await stage.tokens() == [TOKEN]


@CHECKS.of("list.user")
async def only_ones_own_tokens_are_listed(stage: PushyStage) -> None:
    await stage.begin("foreign", uuid4())

    assert (await asked(stage, "list")).json()["data"] == []
    assert_refused(await asked(stage, "list", stage.service()), 403, "Insufficient permissions")


@CHECKS.of("list.response")
async def listing_is_answered_as_in_the_seed(stage: PushyStage) -> None:
    await asked(stage, "register")

    answer = await asked(stage, "list")

    assert (answer.status_code, answer.json()) == (200, answered("list.response"))


@CHECKS.of("subscribe.topics")
async def one_topic_and_several_are_followed(stage: PushyStage) -> None:
    await stage.begin(TOKEN)

    await stage.subscribe(TOKEN, "a")
    assert await stage.topics() == {"a": 1}
    await stage.subscribe(TOKEN, "b", "c")
    assert await stage.topics() == {"a": 1, "b": 1, "c": 1}
    refused = await stage.post("/device-info/subscribe", {"token": TOKEN, "topics": []})
    assert_invalid(refused, "#/topics")


@CHECKS.of("subscribe.request")
async def the_example_of_subscribing_is_accepted(stage: PushyStage) -> None:
    await stage.begin(TOKEN)

    assert (await asked(stage, "subscribe")).status_code == 200
    assert await stage.topics() == {"announcements": 1, "system-updates": 1}
    await without(stage, "subscribe", "token", "topics")


@CHECKS.of("subscribe.response")
async def subscribing_is_answered_as_in_the_seed(stage: PushyStage) -> None:
    await stage.begin(TOKEN)

    answer = await asked(stage, "subscribe")

    assert (answer.status_code, answer.json()) == (200, answered("subscribe.response"))


async def following(stage: PushyStage) -> None:
    """The stage's user follows three topics."""
    await stage.begin(TOKEN)
    await stage.subscribe(TOKEN, "announcements", "b", "c")


@CHECKS.of("unsubscribe.topics")
async def some_topics_are_left(stage: PushyStage) -> None:
    await following(stage)

    await stage.post("/device-info/unsubscribe", {"token": TOKEN, "topics": ["b", "c"]})

    assert await stage.topics() == {"announcements": 1}


@CHECKS.of("unsubscribe.request")
async def the_example_of_unsubscribing_is_accepted(stage: PushyStage) -> None:
    await following(stage)

    assert (await asked(stage, "unsubscribe")).status_code == 200
    assert await stage.topics() == {"b": 1, "c": 1}
    await without(stage, "unsubscribe", "token")


@CHECKS.of_each({"unsubscribe.omitted": ({},), "unsubscribe.empty": ({"topics": []},)})
async def all_topics_are_left(stage: PushyStage, body: Json) -> None:
    await following(stage)

    answer = await stage.post("/device-info/unsubscribe", {"token": TOKEN} | body)

    assert (answer.status_code, await stage.topics()) == (200, {})


@CHECKS.of("unsubscribe.invalid")
async def an_invalid_token_is_a_bad_request(stage: PushyStage) -> None:
    await stage.begin("dead-token")

    for token in (TOKEN, "dead-token"):
        refused = await stage.post("/device-info/unsubscribe", {"token": token})
        assert_refused(refused, *INVALID, code="INVALID_DEVICE_TOKEN")


@CHECKS.of("subscribers.tokens")
async def all_subscribers_of_a_topic_are_told(stage: PushyStage) -> None:
    await stage.simulators.put("/pushy/settings", {"page_size": 2})
    tokens = [f"token-{number}" for number in range(5)]
    for token in tokens:
        user_id = uuid4()
        await stage.begin(token, user_id)
        await stage.subscribe(token, "announcements", user_id=user_id)
    await stage.begin("other")
    await stage.subscribe("other", "another")

    answer = await asked(stage, "subscribers", stage.service())

    assert answer.json()["data"] == {"topic": "announcements", "subscribers": tokens}


@CHECKS.of("subscribers.response")
async def subscribers_are_told_as_in_the_seed(stage: PushyStage) -> None:
    await asked(stage, "register")
    await asked(stage, "subscribe")

    answer = await asked(stage, "subscribers")

    assert (answer.status_code, answer.json()) == (200, answered("subscribers.response"))
