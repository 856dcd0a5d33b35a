"""Routes that tell what became of notifications, and the one that calls one off."""

from typing import Annotated, Any

from litestar import Request, Router, delete, get
from litestar.datastructures import State
from litestar.params import QueryParameter

from api.auth.guards import Gate
from api.auth.principals import Admin, Service, User, parse_id
from api.routes.paths import Cursor, IdPath, Limit, UserFilter, id_or_none
from api.schemas.notifications import DataAnswer, NotificationAnswer, NotificationsAnswer
from api.services.listing import NotificationListing
from api.services.notifications import NotificationService
from shared.domain.apps import App
from shared.domain.notifications import NotificationStatus

StatusFilter = Annotated[
    NotificationStatus | None, QueryParameter(description="in this state only")
]
AppFilter = Annotated[
    str | None,
    QueryParameter(schema_extra={"format": "uuid"}, description="for admins of several apps"),
]
ReaderRequest = Request[Service | Admin, None, State]


def notification_routes(
    notifications: NotificationService, listing: NotificationListing, gate: Gate
) -> Router:
    @get("/", guards=[gate.lister])
    async def list_notifications(  # noqa: PLR0917 each is a query parameter
        request: Request[Service | Admin, App, State],
        app_id: AppFilter = None,  # noqa: ARG001 the guard has read it
        user_id: UserFilter = None,
        status: StatusFilter = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> NotificationsAnswer:
        """The app's notifications of the last 30 days, newest first."""
        page = await listing.page(
            request.auth.app_id,
            user_id=id_or_none(user_id, "#/user_id"),
            status=status,
            after=id_or_none(cursor, "#/cursor"),
            limit=limit,
        )
        return NotificationsAnswer.of(page)

    @get("/{notification_id:str}", guards=[gate.reader])
    async def get_notification(
        request: ReaderRequest, notification_id: IdPath
    ) -> NotificationAnswer:
        """What became of a notification on each device."""
        report = await notifications.report(request.user, parse_id(notification_id))
        return NotificationAnswer.of(report)

    @delete("/{notification_id:str}", guards=[gate.reader], status_code=200)
    async def cancel_notification(
        request: ReaderRequest, notification_id: IdPath
    ) -> NotificationAnswer:
        """Call off what was not handed to a provider yet; what became of it."""
        report = await notifications.cancel(request.user, parse_id(notification_id))
        return NotificationAnswer.of(report)

    @get("/{notification_id:str}/data", guards=[gate.user])
    async def get_data(request: Request[User, None, State], notification_id: IdPath) -> DataAnswer:
        """The whole `data` of one of the calling user's own notifications."""
        text = await notifications.data(request.user, parse_id(notification_id))
        return DataAnswer.of(text)

    handlers: list[Any] = [list_notifications, get_notification, cancel_notification, get_data]
    return Router("/push/notifications", route_handlers=handlers, tags=["notifications"])
