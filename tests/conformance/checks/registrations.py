"""Checks of what the seed says of registering devices."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode

from tests.conformance.answers import assert_invalid, assert_refused, instant, is_like
from tests.conformance.checks.registry import Checks
from tests.conformance.requests import request_of
from tests.conformance.stage import Json, Stage
from tests.conformance.statements.registrations import PER_HOUR, PLATFORMS
from tests.conformance.statements.table import STATEMENTS
from tests.eventually import eventually

CHECKS = Checks()


@CHECKS.of("register.route")
async def register_is_no_id(stage: Stage) -> None:
    assert (await stage.register()).status_code == 201
    for method in ("GET", "DELETE"):
        answer = await stage.admin.call(method, "/push/devices/register")
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == {"OPTIONS", "POST"}


@CHECKS.of("register.purpose")
async def a_registered_device_is_sent_to(stage: Stage) -> None:
    device_id = await stage.device()

    notification = await stage.notification(await stage.send())

    assert [row["device_id"] for row in notification["devices"]] == [device_id]


@CHECKS.of("register.request")
async def the_example_registers(stage: Stage) -> None:
    example = STATEMENTS["register.request"].example | {"app_id": str(stage.app_id)}
    user = stage.caller("user")

    for name in example:
        without = {key: value for key, value in example.items() if key != name}
        assert_invalid(await user.post("/push/devices/register", without), f"#/{name}")
    answer = await user.post("/push/devices/register", example)

    assert answer.status_code == 201


@CHECKS.of_each(
    {
        "register.request.app_id": ("app_id", ["GymOps", "", 5, None]),
        "register.request.platform": ("platform", ["tv", "Android", "", 5, None]),
    }
)
async def a_field_takes_nothing_else(stage: Stage, name: str, bad: list[Any]) -> None:
    valid = request_of("register", stage)
    for value in bad:
        request = valid._replace(body=valid.body | {name: value})
        assert_invalid(await request.by(stage.caller("user")), f"#/{name}")
    assert (await stage.devices())["total"] == 0


@CHECKS.of_each({f"register.request.platform.{platform}": (platform,) for platform in PLATFORMS})
async def a_platform_is_registered(stage: Stage, platform: str) -> None:
    device_id = await stage.device(platform=platform)

    (row,) = (await stage.devices(f"?platform={platform}"))["devices"]
    assert (row["device_id"], row["platform"]) == (device_id, platform)


@CHECKS.of("register.request.push_token.fcm")
async def fcm_tokens_are_accepted(stage: Stage) -> None:
    for platform in PLATFORMS:
        await stage.device(f"cJ-{platform}:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RY", platform=platform)

    assert [row["provider"] for row in (await stage.devices())["devices"]] == ["fcm"] * 3


def a_subscription() -> Json:
    """What `PushSubscription.toJSON()` gives."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "endpoint": f"https://updates.push.services.mozilla.com/wpush/v2/{uuid4()}",
        "expirationTime": None,
        "keys": {
            "p256dh": base64url_encode(point).decode(),
            "auth": base64url_encode(uuid4().bytes).decode(),
        },
    }


@CHECKS.of("register.request.push_token.web_push")
async def subscriptions_are_accepted(stage: Stage) -> None:
    subscription = a_subscription()

    as_object = await stage.device(platform="web", push_token=subscription)
    as_text = await stage.device(platform="web", push_token=json.dumps(subscription))

    assert as_object == as_text
    (row,) = (await stage.devices())["devices"]
    assert (row["provider"], row["platform"]) == ("webpush", "web")


@CHECKS.of("register.response.status")
async def a_registration_is_a_201(stage: Stage) -> None:
    assert (await stage.register()).status_code == 201


@CHECKS.of("register.response")
async def a_registration_answers_the_id(stage: Stage) -> None:
    example = STATEMENTS["register.response"].example

    told = (await stage.register()).json()

    assert is_like(told, example)
    assert told.keys() == example.keys()


@CHECKS.of("register.dedup")
async def a_token_is_one_device(stage: Stage) -> None:
    first, again = await stage.device(), await stage.device()
    moved = await stage.device(user_id=uuid4())

    assert first == again == moved
    assert (await stage.devices())["total"] == 1


@CHECKS.of("register.dedup.app_id")
async def a_token_is_a_device_of_each_app(stage: Stage) -> None:
    assert await stage.device() != await stage.device(app_id=stage.other_app_id)


@CHECKS.of("register.dedup.token_hash")
async def a_token_is_known_by_its_hash(stage: Stage) -> None:
    await stage.device("canary-push-token")

    (row,) = await stage.api.database["devices"].find({"app_id": stage.app_id})
    assert len(row["token_hash"]) == 32
    assert "canary-push-token" not in repr(row)


@CHECKS.of("register.last_seen_at")
async def a_device_is_seen_again(stage: Stage) -> None:
    first = await stage.device()
    (before,) = (await stage.devices())["devices"]

    async def is_seen_later() -> bool:  # within one millisecond it would be the same instant
        assert await stage.device() == first
        (row,) = (await stage.devices())["devices"]
        return instant(row["last_seen_at"]) > instant(before["last_seen_at"])

    await eventually(is_seen_later, within_seconds=5)


async def up_to_the_limit(stage: Stage) -> None:
    answers = [await stage.register(f"token-{number}") for number in range(PER_HOUR)]
    assert [answer.status_code for answer in answers] == [201] * PER_HOUR


@CHECKS.of("register.limit")
async def the_eleventh_is_refused(stage: Stage) -> None:
    await up_to_the_limit(stage)

    refused = await stage.register("eleventh")

    assert_refused(refused, 429, "Too many registrations")
    assert 0 < int(refused.headers["retry-after"]) <= timedelta(hours=1).total_seconds()
    assert refused.headers["ratelimit-policy"] == '"registrations";q=10;w=3600'
    assert (await stage.devices())["total"] == PER_HOUR


@CHECKS.of("register.limit.user")
async def users_do_not_limit_each_other(stage: Stage) -> None:
    await up_to_the_limit(stage)

    assert (await stage.register("eleventh")).status_code == 429
    assert (await stage.register("eleventh", user_id=uuid4())).status_code == 201


@CHECKS.of("register.limit.hour")
async def after_an_hour_there_is_room(stage: Stage) -> None:
    await up_to_the_limit(stage)

    stage.clock.forward(minutes=50)
    assert (await stage.register("eleventh")).status_code == 429
    stage.clock.forward(minutes=10)
    assert (await stage.register("eleventh")).status_code == 201
