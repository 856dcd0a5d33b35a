"""What came of the Pushy API's direct pushes, for those who operate an app; kept for a week."""

from datetime import datetime
from uuid import UUID

import msgspec

from shared.crypto.keyring import Keyring
from shared.storage.mongo import Database


class DevSend(msgspec.Struct, frozen=True, kw_only=True):
    """One call of send-dev. `failed` are tokens that Pushy does not know."""

    dev_send_id: UUID
    app_id: UUID
    push_id: str | None
    device_count: int
    failed: tuple[str, ...]
    created_at: datetime


class DevSendRepository:
    """Tokens are sealed here as everywhere."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._sends = database["dev_sends"]
        self._keyring = keyring

    async def add(self, send: DevSend) -> None:
        failed = self._keyring.seal(msgspec.json.encode(send.failed), _context(send.app_id))
        document = msgspec.structs.asdict(send) | {"_id": send.dev_send_id, "failed": failed}
        del document["dev_send_id"]
        await self._sends.insert_one(document)

    async def get(self, app_id: UUID, dev_send_id: UUID) -> DevSend | None:
        document = await self._sends.find_one({"_id": dev_send_id, "app_id": app_id})
        if document is None:
            return None
        failed = self._keyring.open(document.pop("failed"), _context(app_id))
        tokens = msgspec.json.decode(failed, type=tuple[str, ...])
        return DevSend(dev_send_id=document.pop("_id"), failed=tokens, **document)


def _context(app_id: UUID) -> str:
    return f"{app_id}|dev_send"
