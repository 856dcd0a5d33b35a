"""Apps: configuration, webhook secrets (sealed) and client secrets (hashed).

A deleted app's tombstone (shared/storage/deletions.py) is no app: nothing here sees or changes it.
"""

from typing import Any
from uuid import UUID

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.crypto.keyring import Keyring
from shared.domain.apps import App, WebhookSecret
from shared.storage.mongo import Database, Document


class AppRepository:
    """One document per app; `version` grows with each change."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._apps = database["apps"]
        self._keyring = keyring

    async def get(self, app_id: UUID) -> App | None:
        document = await self._apps.find_one(_live(app_id), {"client_secret_hash": 0})
        return None if document is None else self._from(document)

    async def exists(self, app_id: UUID) -> bool:
        return await self._apps.find_one(_live(app_id), {"_id": 1}) is not None

    async def create(self, app: App, client_secret_hash: bytes) -> bool:
        """Insert the app; False when it exists already, or its predecessor's rows still do."""
        document = self._fields(app.app_id, msgspec.structs.asdict(app))
        document |= {"_id": app.app_id, "client_secret_hash": client_secret_hash}
        try:
            await self._apps.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def update(
        self, app_id: UUID, changes: dict[str, Any], *, version: int | None = None
    ) -> App | None:
        """Set App fields; the app as it is now.

        Returns:
            None when there is none, or it has another `version`, if that is given.
        """
        document = await self._apps.find_one_and_update(
            _live(app_id) | ({} if version is None else {"version": version}),
            {"$set": self._fields(app_id, changes), "$inc": {"version": 1}},
        )
        return None if document is None else self._from(document)

    async def enable_first(self, app_id: UUID, changes: dict[str, Any]) -> App | None:
        """Set App fields only while the app has no webhook secret; None when it has one."""
        document = await self._apps.find_one_and_update(
            _live(app_id) | {"webhook_secrets": []},
            {"$set": self._fields(app_id, changes), "$inc": {"version": 1}},
        )
        return None if document is None else self._from(document)

    async def client_secret_hash(self, app_id: UUID) -> bytes | None:
        document = await self._apps.find_one(_live(app_id), {"client_secret_hash": 1})
        return None if document is None else bytes(document["client_secret_hash"])

    async def set_client_secret_hash(self, app_id: UUID, secret_hash: bytes) -> bool:
        """Whether the app exists."""
        change = {"$set": {"client_secret_hash": secret_hash}, "$inc": {"version": 1}}
        return await self._apps.update_one(_live(app_id), change) == 1

    def _fields(self, app_id: UUID, values: dict[str, Any]) -> Document:
        fields = {k: v for k, v in values.items() if k not in ("app_id", "webhook_secrets")}
        if "version" in fields:
            fields["version"] = int(fields["version"])
        if "webhook_secrets" in values:
            fields["webhook_secrets"] = [
                {
                    "secret": self._keyring.seal(s.secret.encode(), f"{app_id}|webhook_secret"),
                    "expires_at": s.expires_at,
                }
                for s in values["webhook_secrets"]
            ]
        return fields

    def _from(self, document: Document) -> App:
        app_id: UUID = document["_id"]
        fields = {k: v for k, v in document.items() if k in App.__struct_fields__}
        fields["webhook_secrets"] = tuple(
            WebhookSecret(
                secret=self._keyring.open(s["secret"], f"{app_id}|webhook_secret").decode(),
                expires_at=s["expires_at"],
            )
            for s in document["webhook_secrets"]
        )
        return App(app_id=app_id, **fields)


def _live(app_id: UUID) -> Document:
    return {"_id": app_id, "deleted_at": None}
