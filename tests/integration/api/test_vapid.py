"""The public key that browsers are shown is the one that signs, however its set-up was raced."""

import asyncio
from uuid import UUID, uuid4

import pytest

from api.directory import AppDirectory
from api.errors import CredentialNotFoundError
from api.services.credentials import CredentialService
from shared.crypto.keyring import Keyring
from shared.domain.apps import App
from shared.domain.credentials import WebPushCredential
from shared.storage.apps import AppRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.holds import HoldRepository
from shared.storage.mongo import Database
from tests.builders import NOW

APPS = 60


class Stage:
    """Apps, and API processes that work on them."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self.apps = AppRepository(database, keyring)
        self.credentials = CredentialRepository(database, keyring, lambda: NOW)

    async def app(self) -> UUID:
        app_id = uuid4()
        await self.apps.create(App(app_id=app_id, name="a", created_at=NOW), b"x")
        return app_id

    def process(self) -> CredentialService:
        return CredentialService(
            self.credentials,
            self.apps,
            AppDirectory(self.apps),
            holds=HoldRepository(self._database),
            default_subject="mailto:us@example.com",
        )

    async def keys(self, app_id: UUID) -> tuple[str | None, str | None]:
        """The key that is shown, and the one that signs."""
        app, credential = await asyncio.gather(
            self.apps.get(app_id), self.credentials.get(app_id, "webpush")
        )
        assert app is not None
        signing = credential.vapid_public_key if isinstance(credential, WebPushCredential) else None
        return app.vapid_public_key, signing


@pytest.fixture
def stage(database: Database, keyring: Keyring) -> Stage:
    return Stage(database, keyring)


async def test_first_set_ups_that_race_show_the_key_that_signs(stage: Stage) -> None:
    for _ in range(APPS):
        app_id = await stage.app()

        answers = await asyncio.gather(
            stage.process().put_subject(app_id, "mailto:one@example.com"),
            stage.process().put_subject(app_id, "mailto:other@example.com"),
            stage.process().ensure_vapid(app_id),
        )

        shown, signing = await stage.keys(app_id)
        assert shown == signing is not None
        assert {a.details["vapid_public_key"] for a in answers if a is not None} == {signing}


async def test_a_key_pair_that_is_deleted_and_made_anew_meanwhile_is_shown(stage: Stage) -> None:
    for _ in range(APPS):
        app_id = await stage.app()
        await stage.process().ensure_vapid(app_id)

        await asyncio.gather(
            stage.process().delete(app_id, "webpush"),
            stage.process().put_subject(app_id, "mailto:one@example.com"),
            stage.process().ensure_vapid(app_id),
        )

        shown, signing = await stage.keys(app_id)
        assert shown == signing


async def test_a_deletion_that_was_cut_short_is_made_up_for(stage: Stage) -> None:
    app_id = await stage.app()
    await stage.process().ensure_vapid(app_id)
    await stage.credentials.delete(app_id, "webpush")

    with pytest.raises(CredentialNotFoundError):
        await stage.process().delete(app_id, "webpush")

    assert await stage.keys(app_id) == (None, None)
