"""Apps: created, renamed, deleted, their client secrets made and replaced."""

import secrets
from typing import Any
from uuid import UUID

import msgspec

from api.auth.guards import administered
from api.auth.principals import Admin
from api.directory import AppDirectory
from api.errors import AppBeingDeletedError, InsufficientPermissionsError
from shared.clock import Clock
from shared.crypto.keyring import Keyring
from shared.domain.apps import App
from shared.logs import get_logger
from shared.storage.apps import AppRepository
from shared.storage.deletions import DeletionRepository
from shared.storage.mongo import StorageUnavailable

SECRET_BYTES = 32
_log = get_logger("api.apps")


class Founding(msgspec.Struct, frozen=True, kw_only=True):
    """What an app shall be called, and whose: UNSET tenant is as it was, or the admin's own."""

    name: str
    tenant_id: str | msgspec.UnsetType | None = msgspec.UNSET


class AppService:
    """Client secrets are 256 random bits, shown once and kept as a keyed hash."""

    def __init__(
        self,
        apps: AppRepository,
        deletions: DeletionRepository,
        *,
        directory: AppDirectory,
        keyring: Keyring,
        clock: Clock,
    ) -> None:
        self._apps = apps
        self._deletions = deletions
        self._directory = directory
        self._keyring = keyring
        self._clock = clock

    async def found(
        self, admin: Admin, app_id: UUID, existing: App | None, wish: Founding
    ) -> tuple[App, str | None]:
        """Create or rename the app; with the client secret when it was created.

        Raises:
            InsufficientPermissionsError: a tenant admin names another's tenant.
            AppBeingDeletedError: rows of an app that had this id are not gone yet.
        """
        if wish.tenant_id is not msgspec.UNSET and not admin.manages(wish.tenant_id):
            raise InsufficientPermissionsError
        if existing is None:
            created = await self._create(admin, app_id, wish)
            if created is not None:
                return created
            existing = await self._in_the_way(admin, app_id)
        return await self._rename(admin, existing, wish), None

    async def _create(self, admin: Admin, app_id: UUID, wish: Founding) -> tuple[App, str] | None:
        tenant_id = wish.tenant_id
        if tenant_id is msgspec.UNSET:
            tenant_id = None if admin.is_platform_admin else admin.own_tenant
        app = App(app_id=app_id, name=wish.name, created_at=self._clock(), tenant_id=tenant_id)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        if not await self._apps.create(app, secret_hash(self._keyring, app_id, secret)):
            return None
        return app, secret

    async def _in_the_way(self, admin: Admin, app_id: UUID) -> App:
        """The app that another request has created just now, if it is the admin's to rename."""
        existing = await self._apps.get(app_id)
        if existing is None:
            deletion = await self._deletions.get(app_id)
            if deletion is None or admin.manages(deletion.tenant_id):
                raise AppBeingDeletedError
        elif admin.manages(existing.tenant_id):
            return existing
        raise InsufficientPermissionsError

    async def _rename(self, admin: Admin, app: App, wish: Founding) -> App:
        changes: dict[str, Any] = {"name": wish.name}
        if wish.tenant_id is not msgspec.UNSET:
            changes["tenant_id"] = wish.tenant_id
        updated = await self._apps.update(app.app_id, changes)
        self._directory.forget(app.app_id)
        return administered(admin, updated)

    async def delete(self, admin: Admin, app: App | None) -> None:
        """Make the app disappear at once; the worker deletes its rows.

        Raises:
            AppNotFoundError: a platform admin names no app.
            InsufficientPermissionsError: anybody else does.
        """
        app_id = administered(admin, app).app_id
        is_ours = await self._deletions.begin(app_id, self._clock())
        self._directory.forget(app_id)
        if not is_ours:  # another request was first
            administered(admin, None)
        _log.info("app.deleted", app_id=str(app_id))
        try:
            await self._deletions.drop_credentials(app_id)
        except StorageUnavailable:  # nobody can use them any more, and the worker deletes them
            _log.warning("app.credentials_left", app_id=str(app_id))

    async def rotate_secret(self, admin: Admin, app_id: UUID) -> str:
        """A new client secret; the old one stops working at once."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        hashed = secret_hash(self._keyring, app_id, secret)
        if not await self._apps.set_client_secret_hash(app_id, hashed):
            administered(admin, None)  # it was deleted just now
        return secret


def secret_hash(keyring: Keyring, app_id: UUID, secret: str) -> bytes:
    """What a client secret is stored as and compared by."""
    return keyring.lookup_hash(secret.encode(), f"{app_id}|client_secret")
