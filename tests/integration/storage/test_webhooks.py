"""What workers note of an app's webhook: only of the one that they called."""

from datetime import timedelta
from typing import Any

import pytest

from shared.crypto.keyring import Keyring
from shared.domain.apps import App
from shared.storage.apps import AppRepository
from shared.storage.mongo import Database
from shared.storage.webhooks import RENEWED, WebhookRepository
from tests.builders import APP_ID, NOW, an_app

LATER = NOW + timedelta(days=5)
URL = "https://a.example/hook"


class Stage:
    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.apps = AppRepository(database, keyring)
        self.webhooks = WebhookRepository(database)

    async def app(self) -> App:
        app = await self.apps.get(APP_ID)
        assert app is not None
        return app

    async def configure(self, **changes: Any) -> App:
        app = await self.apps.update(APP_ID, changes)
        assert app is not None
        return app


@pytest.fixture
async def stage(database: Database, keyring: Keyring) -> Stage:
    stage = Stage(database, keyring)
    await stage.apps.create(an_app(webhook_url=URL), b"hash")
    return stage


async def test_failures_are_counted_from_the_first(stage: Stage) -> None:
    app = await stage.app()

    await stage.webhooks.failed(app, NOW)
    await stage.webhooks.failed(app, LATER)

    assert (await stage.app()).webhook_failing_since == NOW


async def test_any_success_ends_them(stage: Stage) -> None:
    await stage.webhooks.failed(await stage.app(), NOW)

    await stage.webhooks.worked(await stage.app())

    assert (await stage.app()).webhook_failing_since is None


async def test_a_webhook_is_disabled_once(stage: Stage) -> None:
    await stage.webhooks.failed(await stage.app(), NOW)
    app = await stage.app()

    disabled = [await stage.webhooks.disable(app, LATER, "failing") for _ in range(2)]

    assert disabled == [True, False]
    after = await stage.app()
    assert (after.webhook_disabled_at, after.webhook_disabled_reason) == (LATER, "failing")
    assert (after.webhook_url, after.posting_url) == (URL, None)


async def test_a_success_in_between_keeps_it(stage: Stage) -> None:
    await stage.webhooks.failed(await stage.app(), NOW)
    app = await stage.app()
    await stage.webhooks.worked(app)

    assert not await stage.webhooks.disable(app, LATER, "failing")


@pytest.mark.parametrize("change", [{"webhook_url": "https://b.example"}, {"webhook_url": URL}])
async def test_a_webhook_that_was_set_meanwhile_is_another_one(
    stage: Stage, change: dict[str, Any]
) -> None:
    app = await stage.app()
    await stage.configure(**change)

    assert not await stage.webhooks.disable(app, NOW, "gone")


async def test_setting_it_again_enables_it(stage: Stage) -> None:
    app = await stage.app()
    await stage.webhooks.pause(app, LATER)
    await stage.webhooks.disable(app, NOW, "gone")

    renewed = await stage.configure(webhook_url=URL, **RENEWED)

    assert renewed.posting_url == URL
    assert renewed.webhook_paused_until is None


async def test_the_longest_pause_counts(stage: Stage) -> None:
    app = await stage.app()

    await stage.webhooks.pause(app, LATER)
    await stage.webhooks.pause(app, NOW)

    assert (await stage.app()).webhook_paused_until == LATER
