"""`fanfare`: the operators' command line."""

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import typer

from api.auth.issuer import BuiltInIssuer
from api.commands import enrol
from api.commands.dead import NoSuchDeadLetter, dead_commands
from api.commands.devices import device_commands
from api.commands.receipts import receipt_commands
from api.services.rebuild import QueueNotRefilled, rebuild
from api.settings import FOREIGN_PREFIXES, ApiSettings
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.queue.connection import QueueUnavailable, TopologyWrong
from shared.queue.connection import migrate as migrate_queue
from shared.queue.publisher import Publisher
from shared.queue.topology import topology
from shared.settings import PREFIX, SettingsError, load
from shared.storage.chunks import ChunkRepository
from shared.storage.keys import KeyRepository
from shared.storage.mongo import StorageUnavailable, connect
from shared.storage.schema import create_indexes

STACK_FILE = Path(".local/stack.env")
EXPECTED = (
    SettingsError,
    StorageUnavailable,
    QueueUnavailable,
    TopologyWrong,
    QueueNotRefilled,
    enrol.NoSuchApp,
    NoSuchDeadLetter,
)
cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """Run a command; what an operator can put right is one line and exit status 2."""
    try:
        cli()
    except EXPECTED as error:
        sys.stderr.write(f"fanfare: {type(error).__name__}: {error}\n")
        sys.exit(2)


@cli.command()
def migrate() -> None:
    """Create indexes, queues and the built-in issuer's key; what exists stays."""
    settings = _settings()
    asyncio.run(_migrate(settings))
    print("migrated")


async def _migrate(settings: ApiSettings) -> None:
    async with connect(settings) as database:
        await create_indexes(database)
        if settings.issuer_enabled:
            keys = KeyRepository(database, Keyring.from_settings(settings), utc_now)
            await BuiltInIssuer(settings.issuer_url, keys, utc_now).load()
    wanted = topology(settings.retry_levels_seconds, settings.hook_levels_seconds)
    await migrate_queue(settings.amqp_url, wanted)


@cli.command("rebuild")
def rebuild_queue() -> None:
    """Fill the queue again from the record, after the broker has lost its disk."""
    settings = _settings()
    count = asyncio.run(_rebuild(settings))
    print(f"{count} chunks are in the queue")


async def _rebuild(settings: ApiSettings) -> int:
    wanted = topology(settings.retry_levels_seconds, settings.hook_levels_seconds)
    await migrate_queue(settings.amqp_url, wanted)
    publisher = Publisher(settings.amqp_url, name="fanfare rebuild")
    try:
        async with connect(settings) as database:
            return await rebuild(ChunkRepository(database), publisher, _show_progress)
    finally:
        await publisher.aclose()


def _show_progress(count: int) -> None:
    sys.stderr.write(f"\r{count} chunks published")
    sys.stderr.flush()


@cli.command("enrol", epilog="Example: fanfare enrol users.ndjson --app 0195a000-…-00000000000a")
def enrol_users(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="one user a line; - is standard input"),
    ],
    *,
    app: Annotated[UUID, typer.Option(help="the app's id")],
    as_json: Annotated[bool, typer.Option("--json", help="print a summary as JSON")] = False,
) -> None:
    """Enrol users in an app; those who are enrolled already stay so.

    A line is {"user_id": "<uuid>"}, "<uuid>" or <uuid>. Blank lines are skipped,
    and so is user_id as the first. The first 20 bad lines are shown.

    Exit status: 0 if all lines were good, 1 if some were bad, 2 if it failed.
    """
    summary = asyncio.run(enrol.enrol(_settings(), file, app))
    if as_json:
        print(msgspec.json.encode(summary).decode())
    else:
        print(f"{summary.enrolled} enrolled, {summary.failed} refused, {summary.lines} lines")
    if not summary.done:
        sys.stderr.write(f"fanfare: {summary.error}; go on behind line {summary.lines}\n")
        raise typer.Exit(2)
    raise typer.Exit(1 if summary.failed else 0)


@cli.command()
def token(
    *,
    kind: Annotated[str, typer.Option(help="service or user")],
    sub: Annotated[UUID, typer.Option(help="service: the app; user: the user")],
    app: Annotated[UUID | None, typer.Option(help="user: the app (aud)")] = None,
    role: Annotated[list[str] | None, typer.Option(help="user: repeatable")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="service: repeatable")] = None,
    tenant: Annotated[str | None, typer.Option(help="user: tenant_id")] = None,
    expires_hours: Annotated[float, typer.Option(min=0.01)] = 24.0,
) -> None:
    """Mint a token of the built-in issuer, in local mode only; it is the last line."""
    settings = _settings()
    if not settings.is_local or not settings.issuer_enabled:
        raise SettingsError("tokens are minted in local mode with the built-in issuer only")
    lifetime = timedelta(hours=expires_hours)
    issuer = asyncio.run(_issuer(settings))
    match _kind(kind):
        case "service":
            scopes = " ".join(scope or ["push:send"]).split()
            print(issuer.mint_service(sub, scopes, lifetime))
        case "user":
            if app is None:
                raise typer.BadParameter("a user token needs --app")
            print(issuer.mint_user(sub, app, role or ["user"], lifetime, tenant_id=tenant))


cli.add_typer(device_commands(lambda: _settings()), name="devices")  # noqa: PLW0108 defined below
cli.add_typer(receipt_commands(), name="receipts")
cli.add_typer(dead_commands(lambda: _settings()), name="dead")  # noqa: PLW0108 defined below


def _kind(text: str) -> Literal["service", "user"]:
    match text:
        case "service" | "user":
            return text
        case _:
            raise typer.BadParameter("--kind is service or user")


async def _issuer(settings: ApiSettings) -> BuiltInIssuer:
    async with connect(settings) as database:
        keys = KeyRepository(database, Keyring.from_settings(settings), utc_now)
        issuer = BuiltInIssuer(settings.issuer_url, keys, utc_now)
        await issuer.load()
        return issuer


def _settings() -> ApiSettings:
    return load(ApiSettings, _environment(os.environ), foreign_prefixes=FOREIGN_PREFIXES)


def _environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, or without any setting in it the local stack's file."""
    given = [name for name in environ if name.startswith(PREFIX)]
    is_ours = any(not name.removeprefix(PREFIX).startswith("LOCAL_") for name in given)
    if is_ours or not STACK_FILE.exists():
        return environ
    lines = STACK_FILE.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
