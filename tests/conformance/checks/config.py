"""Checks of what the seed says of an app's configuration."""

from itertools import chain, combinations
from typing import Any
from uuid import uuid4

from tests.conformance.answers import assert_invalid, is_like
from tests.conformance.checks.registry import Checks
from tests.conformance.requests import sending
from tests.conformance.stage import Stage
from tests.conformance.statements.sends import SENDS
from tests.conformance.statements.table import STATEMENTS

CHECKS = Checks()
EXAMPLE = STATEMENTS["config.patch.request"].example
HOOK: str = EXAMPLE["webhook_url"]


@CHECKS.of("config.patch.route")
async def a_change_is_of_the_app_in_the_path(stage: Stage) -> None:
    before = await stage.config(stage.other_app_id)

    await stage.configure(**EXAMPLE)

    assert await stage.config(stage.other_app_id) == before
    assert (await stage.config())["webhook_url"] == HOOK


@CHECKS.of("config.patch.enable")
async def an_app_is_enabled_updated_and_disabled(stage: Stage) -> None:
    app_id = uuid4()
    await stage.found(app_id)
    assert (await stage.config(app_id))["enabled"] is False

    enabled = await stage.configure(app_id, enabled=True)
    updated = await stage.configure(app_id, webhook_url=HOOK)
    disabled = await stage.configure(app_id, enabled=False)

    assert [c["enabled"] for c in (enabled, updated, disabled)] == [True, True, False]
    assert [c["webhook_url"] for c in (enabled, updated, disabled)] == [None, HOOK, HOOK]


@CHECKS.of("config.patch.request")
async def the_example_is_applied(stage: Stage) -> None:
    await stage.configure(**EXAMPLE)

    assert EXAMPLE.items() <= (await stage.config()).items()


@CHECKS.of_each(
    {
        "config.patch.request.enabled": ("enabled", [True, False], [None, 1, "true", []]),
        "config.patch.request.webhook_url": (
            "webhook_url",
            [HOOK, "https://hooks.yourapp.com:8443/a?b=c"],
            ["", "yourapp.com", "http://yourapp.com/hooks", "ftp://yourapp.com", 5, [HOOK]],
        ),
        "config.patch.request.daily_quota": (
            "daily_quota",
            [10_000, 0, 1],
            [-1, 1.5, "10000", True, [1]],
        ),
    }
)
async def a_field_takes_its_type_only(
    stage: Stage, name: str, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        assert (await stage.configure(**{name: value}))[name] == value
    before = await stage.config()
    for value in bad:
        answer = await stage.admin.patch(f"/push/config/{stage.app_id}", {name: value})
        assert_invalid(answer, f"#/{name}")
    assert await stage.config() == before


@CHECKS.of("config.patch.optional")
async def every_choice_of_fields_is_accepted(stage: Stage) -> None:
    choices = list(chain.from_iterable(combinations(EXAMPLE, count) for count in range(4)))

    for names in choices:
        changed = await stage.configure(**{name: EXAMPLE[name] for name in names})
        assert all(changed[name] == EXAMPLE[name] for name in names)

    assert len(choices) == 8


@CHECKS.of("config.patch.partial")
async def what_is_not_given_stays(stage: Stage) -> None:
    await stage.configure(**EXAMPLE)

    for change in ({"daily_quota": 7}, {"webhook_url": f"{HOOK}/2"}, {"enabled": False}, {}):
        before = await stage.config()
        await stage.configure(**change)
        assert await stage.config() == before | change


async def of_patch(stage: Stage) -> Any:
    return await stage.admin.patch(f"/push/config/{stage.app_id}", EXAMPLE)


async def of_get(stage: Stage) -> Any:
    return await stage.admin.get(f"/push/config/{stage.app_id}")


@CHECKS.of_each(
    {"config.patch.response.status": (of_patch,), "config.get.response.status": (of_get,)}
)
async def the_status_is_200(stage: Stage, ask: Any) -> None:
    answer = await ask(stage)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@CHECKS.of("config.patch.response")
async def a_change_answers_the_configuration(stage: Stage) -> None:
    example = STATEMENTS["config.patch.response"].example

    told = await stage.configure(**EXAMPLE)

    assert is_like(told, example)
    assert example.items() <= (told | {"webhook_secret": example["webhook_secret"]}).items()


@CHECKS.of("config.get.route")
async def reading_tells_of_one_app_and_changes_nothing(stage: Stage) -> None:
    await stage.configure(**EXAMPLE)

    first, second = await stage.config(), await stage.config()

    assert first == second
    assert (await stage.config(stage.other_app_id))["webhook_url"] is None


@CHECKS.of("config.get.purpose")
async def settings_and_status_are_told_at_once(stage: Stage) -> None:
    changed = await stage.configure(**EXAMPLE)
    await stage.device()
    await stage.send()

    told = await stage.config()

    assert told == changed | {"device_count": 1, "notifications_today": 1}


@CHECKS.of("config.get.response")
async def the_configuration_has_its_members(stage: Stage) -> None:
    await stage.configure(**EXAMPLE)

    assert is_like(await stage.config(), STATEMENTS["config.get.response"].example)


@CHECKS.of("config.get.response.device_count")
async def devices_are_counted(stage: Stage) -> None:
    counts = [(await stage.config())["device_count"]]
    devices = [await stage.device(token) for token in ("one", "two")]
    await stage.device("two")
    counts.append((await stage.config())["device_count"])
    await stage.caller("service").delete(f"/push/devices/{devices[0]}")
    counts.append((await stage.config())["device_count"])

    assert counts == [0, 2, 1]


@CHECKS.of("config.get.response.notifications_today")
async def notifications_are_counted(stage: Stage) -> None:
    users = await stage.users(3)
    service = stage.caller("service")
    counts = []
    for send in SENDS:
        await sending(send, users).by(service)
        counts.append(await stage.used_today())
    await sending("bulk", [*users, uuid4()]).by(service)

    assert counts == [1, 4, 7]
    assert await stage.used_today() == 7
