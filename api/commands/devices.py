"""`fanfare devices`: undo a wave of deactivations, end a hold on them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from api.commands.enrol import NoSuchApp
from api.commands.instants import instant
from api.services.reactivations import ReactivationService, Undone, Wave
from api.settings import ApiSettings
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.devices import PROVIDERS, Provider
from shared.storage.apps import AppRepository
from shared.storage.holds import HoldRepository
from shared.storage.mongo import Database, connect
from shared.storage.reactivations import ReactivationRepository

AppOption = Annotated[UUID, typer.Option("--app", help="the app's id")]
ProviderOption = Annotated[
    Provider | None, typer.Option("--provider", help="only this one; default: all")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print a summary as JSON")]


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that was ended, and until when the provider's answers deactivate unjudged."""

    provider: Provider
    held_since: datetime
    released_until: datetime


def device_commands(settings: Callable[[], ApiSettings]) -> typer.Typer:
    """The commands; the settings are read when one of them runs."""
    commands = typer.Typer(no_args_is_help=True, help="Deactivated devices of an app.")

    @commands.command(
        "undo-deactivation",
        epilog="Example: fanfare devices undo-deactivation --app 0195a000-…-00000000000a"
        " --since 2026-03-19T08:00:00Z --provider fcm --dry-run",
    )
    def undo_deactivation(
        app: AppOption,
        since: Annotated[
            datetime,
            typer.Option(parser=instant, metavar="TIME", help="RFC 3339, with a time zone"),
        ],
        *,
        provider: ProviderOption = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="change nothing")] = False,
        as_json: JsonOption = False,
    ) -> None:
        """Reactivate devices that providers' answers have deactivated since TIME.

        Devices that users unregistered stay so, and those beyond a user's 50
        active ones or one session with Pushy. It may be stopped and run again.

        Exit status: 0 if it came to its end, 2 if it failed.
        """
        wave = Wave(app_id=app, since=since, provider=provider)
        undone = asyncio.run(_undo(settings(), wave, dry_run=dry_run))
        if as_json:
            typer.echo(msgspec.json.encode(undone).decode())
            return
        verb = "would be reactivated" if dry_run else "reactivated"
        typer.echo(
            f"{undone.reactivated} of {undone.found} {verb}; {undone.over_cap} over the cap,"
            f" {undone.other_session} with another session, {undone.changed} changed meanwhile"
        )

    @commands.command(
        "release-hold",
        epilog="Example: fanfare devices release-hold --app 0195a000-…-00000000000a --hours 2",
    )
    def release_hold(
        app: AppOption,
        *,
        provider: ProviderOption = None,
        hours: Annotated[
            float, typer.Option(min=0.01, max=168, help="how long nothing is held then")
        ] = 1.0,
        as_json: JsonOption = False,
    ) -> None:
        """End holds on deactivating an app's devices: its tokens are dead indeed.

        Exit status: 0, also when nothing was held, 2 if it failed.
        """
        holds = asyncio.run(_release(settings(), app, provider, timedelta(hours=hours)))
        if as_json:
            typer.echo(msgspec.json.encode(holds).decode())
            return
        for hold in holds:
            typer.echo(f"{hold.provider}: released until {hold.released_until:%Y-%m-%dT%H:%M:%SZ}")
        if not holds:
            typer.echo("nothing is held")

    return commands


async def _undo(settings: ApiSettings, wave: Wave, *, dry_run: bool) -> Undone:
    async with _app_database(settings, wave.app_id) as database:
        service = ReactivationService(ReactivationRepository(database))
        return await _shown(service.undo(wave, dry_run=dry_run), await service.count(wave))


async def _shown(steps: AsyncGenerator[Undone], total: int) -> Undone:
    """Follow it with a progress bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.completed:,} of {task.total:,}"))
    undone = Undone()
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        async for undone in steps:
            bar.update(task, completed=undone.found)
    return undone


async def _release(
    settings: ApiSettings, app_id: UUID, provider: Provider | None, duration: timedelta
) -> list[Released]:
    released = []
    async with _app_database(settings, app_id) as database:
        holds, now = HoldRepository(database), utc_now()
        for name in PROVIDERS if provider is None else [provider]:
            standing = await holds.get((app_id, name))
            if standing.held_since is not None:
                until = now + duration
                await holds.release((app_id, name), until=until, now=now)
                released.append(
                    Released(provider=name, held_since=standing.held_since, released_until=until)
                )
    return released


@asynccontextmanager
async def _app_database(settings: ApiSettings, app_id: UUID) -> AsyncGenerator[Database]:
    async with connect(settings) as database:
        if not await AppRepository(database, Keyring.from_settings(settings)).exists(app_id):
            raise NoSuchApp(str(app_id))
        yield database
