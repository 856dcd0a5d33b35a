"""Apps as requests see them: kept in process for two seconds, never to refuse anything."""

import time
from uuid import UUID

from shared.domain.apps import App
from shared.storage.apps import AppRepository

FRESH_SECONDS = 2.0
_APPS_MAX = 10_000


class AppDirectory:
    """A read cache of enabled apps; what is absent or disabled is looked up each time."""

    def __init__(self, apps: AppRepository) -> None:
        self._apps = apps
        self._known: dict[UUID, tuple[App, float]] = {}

    async def find(self, app_id: UUID) -> App | None:
        """The app, at most two seconds old if it is enabled."""
        known = self._known.get(app_id)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        return await self.look_up(app_id)

    async def look_up(self, app_id: UUID) -> App | None:
        """The app as it is now."""
        app = await self._apps.get(app_id)
        self.forget(app_id)
        if app is not None and app.enabled:
            if len(self._known) >= _APPS_MAX:
                self._known.clear()
            self._known[app_id] = (app, time.monotonic() + FRESH_SECONDS)
        return app

    def forget(self, app_id: UUID) -> None:
        """Called by what changes an app, so that this process sees it at once."""
        self._known.pop(app_id, None)
