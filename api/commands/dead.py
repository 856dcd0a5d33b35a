"""`fanfare dead`: dead letters, listed, shown and discarded."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
import typer

from api.commands.dead_tables import as_fields, as_table
from api.commands.enrol import NoSuchApp
from api.commands.instants import instant
from api.directory import AppDirectory
from api.schemas.dead_letters import DeadLetterAnswer, DeadLettersAnswer, DiscardAnswer
from api.services.dead_letters import DeadLetterReader
from api.services.discarding import Discarded, discard_newest
from api.settings import ApiSettings
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.devices import Provider
from shared.storage.apps import AppRepository
from shared.storage.chunks import ChunkRepository
from shared.storage.dead_letters import Closing, DeadLetterFilter, DeadLetterRepository
from shared.storage.mongo import Database, connect
from shared.storage.sends import SendRepository

_PAGE_MAX = 1_000
AppOption = Annotated[UUID | None, typer.Option("--app", help="of this app only; default: all")]
ProviderOption = Annotated[Provider | None, typer.Option("--provider", help="of this one only")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="with exactly this reason")]
SinceOption = Annotated[
    datetime | None,
    typer.Option("--since", parser=instant, metavar="TIME", help="died then or later; RFC 3339"),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option("--until", parser=instant, metavar="TIME", help="died before then; RFC 3339"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print what the API answers")]


class NoSuchDeadLetter(Exception):
    """There is no dead letter with this id, or it was dealt with."""


def dead_commands(settings: Callable[[], ApiSettings]) -> typer.Typer:
    """The commands; the settings are read when one of them runs."""
    commands = typer.Typer(
        no_args_is_help=True, help="Dead letters: deliveries that failed by no fault of devices."
    )

    @commands.command(
        "list",
        epilog="Example: fanfare dead list --app 0195a000-…-00000000000a"
        " --provider apns --since 2026-03-19T08:00:00Z",
    )
    def list_letters(
        *,
        app: AppOption = None,
        provider: ProviderOption = None,
        reason: ReasonOption = None,
        since: SinceOption = None,
        until: UntilOption = None,
        limit: Annotated[int, typer.Option(min=1, max=_PAGE_MAX, help="rows on a page")] = 100,
        cursor: Annotated[UUID | None, typer.Option(help="next_cursor of the page before")] = None,
        as_json: JsonOption = False,
    ) -> None:
        """List dead letters, newest first.

        Exit status: 0, also when there are none, 2 if it failed.
        """
        chosen = DeadLetterFilter(
            app_id=app, provider=provider, reason=reason, since=since, until=until
        )
        page = asyncio.run(_page(settings(), chosen, cursor, limit))
        if as_json:
            typer.echo(msgspec.json.encode(page).decode())
            return
        typer.echo(as_table(page.dead_letters) if page.dead_letters else "no dead letters")
        if page.next_cursor is not msgspec.UNSET:
            typer.echo(f"there are more: --cursor {page.next_cursor}", err=True)

    @commands.command("show", epilog="Example: fanfare dead show 0195a2c7-…-ae1f2a3b4c5d")
    def show_letter(
        dead_letter: Annotated[UUID, typer.Argument(metavar="ID", help="as the list names it")],
        *,
        as_json: JsonOption = False,
    ) -> None:
        """Show a dead letter with what is known of its delivery.

        Exit status: 0, or 2 if there is none, or it failed.
        """
        found = asyncio.run(_report(settings(), dead_letter))
        typer.echo(msgspec.json.encode(found).decode() if as_json else as_fields(found))

    @commands.command(
        "discard",
        epilog="Example: fanfare dead discard --app 0195a000-…-00000000000a"
        " --reason PayloadTooLarge --until 2026-03-19T08:00:00Z --dry-run",
    )
    def discard_letters(
        dead_letters: Annotated[
            list[UUID] | None,
            typer.Argument(metavar="ID", help="these; else what fits the filters"),
        ] = None,
        *,
        app: AppOption = None,
        provider: ProviderOption = None,
        reason: ReasonOption = None,
        since: SinceOption = None,
        until: UntilOption = None,
        everything: Annotated[bool, typer.Option("--all", help="without any filter")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="change nothing")] = False,
        as_json: JsonOption = False,
    ) -> None:
        """Discard dead letters: nobody is shown them any more.

        Ids or filters. What dies meanwhile stays. It may be stopped and run again.

        Exit status: 0, also when there were none, 2 if it failed.
        """
        chosen = DeadLetterFilter(
            app_id=app,
            ids=tuple(dead_letters) if dead_letters else None,
            provider=provider,
            reason=reason,
            since=since,
            until=until,
        )
        if (chosen == DeadLetterFilter()) is not everything:
            raise typer.BadParameter("give ids, filters, or --all and neither")
        done = asyncio.run(_discard(settings(), chosen, dry_run=dry_run))
        if as_json:
            typer.echo(msgspec.json.encode(DiscardAnswer.of(done)).decode())
            return
        more = " and more" if done.has_more else ""
        typer.echo(f"{done.discarded}{more} {'would be' if dry_run else 'were'} discarded")

    return commands


async def _discard(settings: ApiSettings, chosen: DeadLetterFilter, *, dry_run: bool) -> Discarded:
    """All of them, 10,000 at a time; counting stops at that."""
    now = utc_now()
    closing = Closing(now, "discarded", "command line")
    if chosen.until is None and chosen.ids is None:
        chosen = msgspec.structs.replace(chosen, until=now)
    async with _database(settings, chosen.app_id) as database:
        letters = DeadLetterRepository(database)
        done = await discard_newest(letters, chosen, closing, dry_run=dry_run)
        count = done.discarded
        while done.has_more and not dry_run:
            done = await discard_newest(letters, chosen, closing, dry_run=False)
            count += done.discarded
        return Discarded(discarded=count, has_more=done.has_more)


async def _page(
    settings: ApiSettings, chosen: DeadLetterFilter, cursor: UUID | None, limit: int
) -> DeadLettersAnswer:
    async with _database(settings, chosen.app_id) as database:
        reader = _reader(settings, database)
        return DeadLettersAnswer.of(await reader.page(chosen, after=cursor, limit=limit))


async def _report(settings: ApiSettings, dead_letter_id: UUID) -> DeadLetterAnswer:
    async with connect(settings) as database:
        letter = await DeadLetterRepository(database).get(dead_letter_id)
        if letter is None:
            raise NoSuchDeadLetter(str(dead_letter_id))
        return DeadLetterAnswer.of(await _reader(settings, database).reported(letter))


def _reader(settings: ApiSettings, database: Database) -> DeadLetterReader:
    directory = AppDirectory(AppRepository(database, Keyring.from_settings(settings)))
    return DeadLetterReader(
        DeadLetterRepository(database),
        SendRepository(database),
        ChunkRepository(database),
        directory,
    )


@asynccontextmanager
async def _database(settings: ApiSettings, app_id: UUID | None) -> AsyncGenerator[Database]:
    async with connect(settings) as database:
        apps = AppRepository(database, Keyring.from_settings(settings))
        if app_id is not None and not await apps.exists(app_id):
            raise NoSuchApp(str(app_id))
        yield database
