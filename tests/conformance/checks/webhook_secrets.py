"""Checks of what the seed says of webhook secrets."""

import base64
from uuid import UUID, uuid4

from tests.conformance.checks.registry import Checks
from tests.conformance.stage import Json, Stage
from tests.conformance.statements.table import STATEMENTS

CHECKS = Checks()
EXAMPLE = STATEMENTS["config.patch.request"].example
HOOK: str = EXAMPLE["webhook_url"]


async def never_enabled(stage: Stage) -> tuple[UUID, Json]:
    app_id = uuid4()
    await stage.found(app_id)
    return app_id, await stage.configure(app_id, webhook_url=HOOK)


@CHECKS.of("config.patch.secret.first_enable")
async def the_first_enable_makes_a_secret(stage: Stage) -> None:
    app_id, before = await never_enabled(stage)

    enabled = await stage.configure(app_id, enabled=True)

    assert before["webhook_secret"] is None
    assert isinstance(enabled["webhook_secret"], str)
    assert enabled["webhook_secret"] == (await stage.config(app_id))["webhook_secret"]
    assert enabled["webhook_secret"] != (await stage.config())["webhook_secret"]


@CHECKS.of("config.patch.secret.form")
async def the_secret_has_its_form(stage: Stage) -> None:
    prefix, _, encoded = (await stage.config())["webhook_secret"].partition("_")

    assert prefix == "whsec"
    assert len(base64.b64decode(encoded, validate=True)) == 32


@CHECKS.of("config.patch.secret.kept")
async def updates_keep_the_secret(stage: Stage) -> None:
    secret = (await stage.config())["webhook_secret"]
    changes: list[Json] = [
        EXAMPLE,
        {"enabled": False},
        {"daily_quota": 5},
        {"enabled": True},
        {"enabled": True},
        {"webhook_url": f"{HOOK}/2"},
        {},
    ]

    secrets = [(await stage.configure(**change))["webhook_secret"] for change in changes]

    assert set(secrets) == {secret}


@CHECKS.of("config.patch.secret.regenerated")
async def a_secret_is_regenerated_when_asked_for(stage: Stage) -> None:
    old = (await stage.config())["webhook_secret"]
    not_asked = await stage.configure(regenerate_webhook_secret=False)

    new = (await stage.configure(regenerate_webhook_secret=True))["webhook_secret"]

    assert not_asked["webhook_secret"] == old
    assert new != old
    assert new.startswith("whsec_")
    assert (await stage.configure(enabled=True))["webhook_secret"] == new
