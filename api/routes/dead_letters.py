"""Routes of dead letters: what operators are to look at."""

from typing import Annotated, Any

from litestar import Request, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, QueryParameter

from api.auth.guards import Gate
from api.auth.principals import Admin, parse_id
from api.routes.paths import Cursor, IdPath, Limit, id_or_none
from api.schemas.base import Ok
from api.schemas.dead_letters import (
    REASON_MAX,
    DeadLetterAnswer,
    DeadLettersAnswer,
    DiscardAnswer,
    DiscardBody,
    instant_or_none,
)
from api.services.dead_letters import DeadLetterReader
from api.services.discarding import Discarder
from shared.domain.apps import App
from shared.domain.devices import Provider
from shared.storage.dead_letters import DeadLetterFilter

AppFilter = Annotated[
    str | None,
    QueryParameter(
        schema_extra={"format": "uuid"},
        description="for admins of several apps; a platform admin sees those of all without it",
    ),
]
ProviderFilter = Annotated[Provider | None, QueryParameter(description="of this provider only")]
ReasonFilter = Annotated[
    str | None,
    QueryParameter(min_length=1, max_length=REASON_MAX, description="with exactly this reason"),
]
Since = Annotated[
    str | None,
    QueryParameter(schema_extra={"format": "date-time"}, description="died then or later"),
]
Until = Annotated[
    str | None,
    QueryParameter(schema_extra={"format": "date-time"}, description="died before then"),
]
OverseerRequest = Request[Admin, App | None, State]


def dead_letter_routes(reader: DeadLetterReader, discarder: Discarder, gate: Gate) -> Router:
    @get("/", guards=[gate.overseer])
    async def list_dead_letters(  # noqa: PLR0917 each is a query parameter
        request: OverseerRequest,
        app_id: AppFilter = None,  # noqa: ARG001 the guard has read it
        provider: ProviderFilter = None,
        reason: ReasonFilter = None,
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> DeadLettersAnswer:
        """Deliveries of the last 30 days that failed by no fault of the device's, newest first.

        Messages that cannot be read are among them, for platform admins.
        """
        chosen = DeadLetterFilter(
            app_id=None if request.auth is None else request.auth.app_id,
            provider=provider,
            reason=reason,
            since=instant_or_none(since, "#/since"),
            until=instant_or_none(until, "#/until"),
        )
        page = await reader.page(chosen, after=id_or_none(cursor, "#/cursor"), limit=limit)
        return DeadLettersAnswer.of(page)

    @get("/{dead_letter_id:str}", guards=[gate.admin])
    async def get_dead_letter(
        request: Request[Admin, None, State], dead_letter_id: IdPath
    ) -> DeadLetterAnswer:
        """One dead letter, with what is known of its delivery."""
        report = await reader.report(request.user, parse_id(dead_letter_id))
        return DeadLetterAnswer.of(report)

    @post("/discard", guards=[gate.overseer], status_code=200)
    async def discard_dead_letters(
        request: OverseerRequest,
        data: JSONBody[DiscardBody],
        app_id: AppFilter = None,  # noqa: ARG001 the guard has read it
    ) -> DiscardAnswer:
        """Discard dead letters, up to 10,000 at once, the newest first.

        What was discarded before, or is not the app's, is passed over.
        """
        chosen = data.chosen(None if request.auth is None else request.auth.app_id)
        done = await discarder.discard(request.user, chosen, dry_run=data.dry_run)
        return DiscardAnswer.of(done)

    @delete("/{dead_letter_id:str}", guards=[gate.admin], status_code=200)
    async def discard_dead_letter(
        request: Request[Admin, None, State], dead_letter_id: IdPath
    ) -> Ok:
        """Discard one dead letter; also one that was discarded before."""
        await discarder.discard_one(request.user, parse_id(dead_letter_id))
        return Ok()

    handlers: list[Any] = [
        list_dead_letters,
        get_dead_letter,
        discard_dead_letters,
        discard_dead_letter,
    ]
    return Router("/push/dead-letters", route_handlers=handlers, tags=["dead letters"])
