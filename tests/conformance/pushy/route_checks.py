"""Checks of what the Pushy seed says of its routes as such, and of its limits."""

from collections.abc import Mapping
from typing import Any

import httpx

from tests.conformance.checks.registry import Checks
from tests.conformance.pushy.send_statements import BYTES_MAX, TOKENS_MAX
from tests.conformance.pushy.statements import ROUTES, STATEMENTS
from tests.front_door import Caller
from tests.pushy_stage import PushyStage, assert_done, assert_invalid, assert_refused

CHECKS = Checks()
TOKEN = "pushy-device-token"
SENT = "Notification sent successfully"
EXAMPLES = {name: f"{name}.request" for name in ("register", "subscribe", "unsubscribe", "send")}
Request = tuple[str, str, Any]


def request_of(route: str) -> Request:
    """The seed's request of a route."""
    method, _, path = ROUTES[route].partition(" ")
    path = path.removeprefix("/api/v1").replace("{topic}", "announcements")
    return method, path, STATEMENTS[EXAMPLES[route]].example if route in EXAMPLES else None


async def asked(stage: PushyStage, route: str, caller: Caller | None = None) -> httpx.Response:
    """The answer to the seed's request of a route."""
    return await stage.call(caller or stage.user(), *request_of(route))


@CHECKS.of("overview.devices")
async def tokens_and_topics_are_managed(stage: PushyStage) -> None:
    for route, status in {
        "register": 201,
        "list": 200,
        "subscribe": 200,
        "unsubscribe": 200,
    }.items():
        assert (await asked(stage, route)).status_code == status

    assert await stage.topics() == {"system-updates": 1}


@CHECKS.of("overview.sends")
async def a_direct_push_reaches_pushy(stage: PushyStage) -> None:
    await stage.begin(TOKEN)

    await asked(stage, "send")

    (entry,) = await stage.simulators.entries("pushy")
    assert (entry["device"], entry["accepted"]) == (TOKEN, True)


@CHECKS.of_each({f"routes.{route}": (route,) for route in ROUTES})
async def a_route_is_there(stage: PushyStage, route: str) -> None:
    await stage.begin(TOKEN)

    assert (await asked(stage, route)).is_success


@CHECKS.of_each({f"protected.{route}": (route,) for route in ROUTES})
async def a_route_is_protected(stage: PushyStage, route: str) -> None:
    for token in (None, "", "x", "a.b.c", "Bearer"):
        refused = await asked(stage, route, Caller(stage.api.http, token))
        assert_refused(refused, 401, "Invalid token")


@CHECKS.of_each({f"bearer.{route}": (route,) for route in ROUTES})
async def a_bearer_token_opens_a_route(stage: PushyStage, route: str) -> None:
    await stage.begin(TOKEN)
    opens, others = stage.user(), stage.user()
    token = others.headers.pop("Authorization").partition(" ")[2]

    assert (await asked(stage, route, opens)).is_success
    for headers in ({"X-Access-Token": token}, {"Authorization": token}, {"Cookie": f"t={token}"}):
        others.headers = headers
        assert_refused(await asked(stage, route, others), 401, "Invalid token")


@CHECKS.of("limits.payload")
async def a_payload_has_so_many_bytes_and_no_more(stage: PushyStage) -> None:
    content = "x" * (BYTES_MAX - len('{"title":"Hi","message":""}'))

    assert_done(await stage.send([TOKEN], content=content), SENT)
    larger = await stage.send([TOKEN], content=f"{content}x")

    assert_refused(larger, 400, "Payload limit exceeded", code="PAYLOAD_LIMIT_EXCEEDED")
    assert len(await stage.pushes()) == 1


@CHECKS.of("limits.devices")
async def a_push_goes_to_so_many_tokens_and_no_more(stage: PushyStage) -> None:
    tokens = [f"{number:022x}" for number in range(TOKENS_MAX + 1)]

    assert_invalid(await stage.send(tokens), "#/to")
    assert await stage.simulators.entries("pushy") == []
    assert_done(await stage.send(tokens[1:]), SENT)

    assert (await stage.simulators.get("/pushy/stats"))["accepted"] == TOKENS_MAX


async def refused_by_pushy(stage: PushyStage) -> Mapping[str, httpx.Response]:
    """One answer for each of the seed's codes."""
    await stage.know(stage.api_key, apns_configured=False)
    await stage.simulators.put("/pushy/devices/iphone", {"platform": "ios"})
    await stage.begin("dead-token")
    topics = {"token": "dead-token", "topics": ["a"]}
    return {
        "NO_RECIPIENTS": await stage.send(["dead-1", "dead-2"]),
        "NO_APNS_AUTH": await stage.send(["iphone"]),
        "PAYLOAD_LIMIT_EXCEEDED": await stage.send([TOKEN], content="x" * BYTES_MAX),
        "INVALID_DEVICE_TOKEN": await stage.post("/device-info/subscribe", topics),
    }


@CHECKS.of_each(
    {
        "codes.no_recipients": ("NO_RECIPIENTS",),
        "codes.no_apns_auth": ("NO_APNS_AUTH",),
        "codes.invalid_device_token": ("INVALID_DEVICE_TOKEN",),
    }
)
async def a_code_of_pushys_is_told(stage: PushyStage, code: str) -> None:
    answer = (await refused_by_pushy(stage))[code]

    assert (answer.status_code, answer.json()["code"]) == (400, code)


@CHECKS.of("codes.payload_limit_exceeded")
async def a_payload_may_be_too_large_for_pushy_too(stage: PushyStage) -> None:
    code = "PAYLOAD_LIMIT_EXCEEDED"
    ours = (await refused_by_pushy(stage))[code]
    await stage.script({"kind": "answer", "status": 400, "reason": code})

    theirs = await stage.send([TOKEN])

    assert (ours.status_code, ours.json()["code"]) == (400, code)
    assert theirs.content == ours.content


@CHECKS.of("codes.envelope")
async def codes_come_in_the_envelope(stage: PushyStage) -> None:
    for code, answer in (await refused_by_pushy(stage)).items():
        message = answer.json()["message"]
        assert isinstance(message, str)
        assert_refused(answer, 400, message, code=code)
