"""How apps' webhooks do: fields of the app's document that workers write, not its admins.

Each write holds for the webhook that was called only: one that was set meanwhile, be it to the
same address, begins anew (`RENEWED`).
"""

from datetime import datetime

from shared.domain.apps import App, WebhookFault
from shared.storage.mongo import Database, Document

RENEWED: Document = {
    "webhook_failing_since": None,
    "webhook_paused_until": None,
    "webhook_disabled_at": None,
    "webhook_disabled_reason": None,
}


class WebhookRepository:
    """Conditional writes; an app's `version` is left alone, since its configuration stays."""

    def __init__(self, database: Database) -> None:
        self._apps = database["apps"]

    async def failed(self, app: App, at: datetime) -> None:
        """Note when failures began, unless it is noted."""
        begins = _called(app) | {"webhook_failing_since": None}
        await self._apps.update_one(begins, {"$set": {"webhook_failing_since": at}})

    async def worked(self, app: App) -> None:
        """Failures are over."""
        await self._apps.update_one(_called(app), {"$set": {"webhook_failing_since": None}})

    async def pause(self, app: App, until: datetime) -> None:
        """No call goes out before the instant, nor before a later one that was noted."""
        await self._apps.update_one(_called(app), {"$max": {"webhook_paused_until": until}})

    async def disable(self, app: App, at: datetime, reason: WebhookFault) -> bool:
        """Post nothing more; False when the app has changed since it was read."""
        unchanged = _called(app) | {"version": app.version}
        if reason == "failing":
            unchanged["webhook_failing_since"] = app.webhook_failing_since
        change = {"webhook_disabled_at": at, "webhook_disabled_reason": reason}
        return await self._apps.update_one(unchanged, {"$set": change}) == 1


def _called(app: App) -> Document:
    return {
        "_id": app.app_id,
        "deleted_at": None,
        "webhook_url": app.webhook_url,
        "webhook_disabled_at": None,
    }
