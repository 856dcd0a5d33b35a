"""`fanfare receipts`: check a webhook call as its receiver should."""

import os
from datetime import timedelta
from typing import Annotated

import msgspec
import typer

from api.services.receipts_verify import TOLERANCE, BadSecret, fault_of, webhook_of
from shared.clock import utc_now

VARIABLE = "WEBHOOK_SECRET"
_EXAMPLE = 'WEBHOOK_SECRET="whsec_..." fanfare receipts verify body.json --headers headers.txt'


class _Data(msgspec.Struct):
    receipts: list[dict[str, msgspec.Raw]] = []


class _Event(msgspec.Struct):
    type: str = "?"
    data: _Data = msgspec.field(default_factory=_Data)


def receipt_commands() -> typer.Typer:
    """The commands; none of them needs the service or its settings."""
    commands = typer.Typer(no_args_is_help=True, help="Webhook calls, for those who receive them.")

    @commands.command("verify", epilog=f"Example: {_EXAMPLE}")
    def verify(
        headers: Annotated[
            typer.FileText,
            typer.Option("--headers", help="the call's header fields: a name: value a line"),
        ],
        body: Annotated[
            typer.FileBinaryRead,
            typer.Argument(metavar="BODY", help="the call's body, its very bytes; - is stdin"),
        ] = "-",  # type: ignore[assignment]  # typer opens it
        *,
        secret_file: Annotated[
            typer.FileText | None,
            typer.Option("--secret-file", help=f"holds the secret; else {VARIABLE} does"),
        ] = None,
        tolerance: Annotated[
            int, typer.Option(min=0, max=10**9, help="seconds that the call may be old")
        ] = int(TOLERANCE.total_seconds()),
    ) -> None:
        """Say whether a webhook call is signed with the secret, and if not, why.

        Exit status: 0 if it is valid, 1 if not, 2 if that could not be checked.
        """
        secret = os.environ.get(VARIABLE, "") if secret_file is None else secret_file.read()
        try:
            webhook = webhook_of(secret.strip())
        except BadSecret:
            raise typer.BadParameter(f"no secret in --secret-file or {VARIABLE}") from None
        content = body.read()
        fault = fault_of(
            webhook,
            _fields(headers.read()),
            content,
            now=utc_now(),
            tolerance=timedelta(seconds=tolerance),
        )
        typer.echo(f"valid: {_summary(content)}" if fault is None else f"not valid: {fault}")
        raise typer.Exit(0 if fault is None else 1)

    # A group with one command would be that command: with a callback it stays a group.
    commands.callback()(_nothing)
    return commands


def _nothing() -> None:
    """Webhook calls, for those who receive them."""


def _fields(text: str) -> dict[str, str]:
    """Header fields by their names in lower case; other lines, such as the request's, are not."""
    rows = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in rows if colon}


def _summary(body: bytes) -> str:
    try:
        event = msgspec.json.decode(body, type=_Event)
    except msgspec.DecodeError:
        return "no event of ours"
    numbers = [bytes(row["seq"]).decode() for row in event.data.receipts if "seq" in row]
    if not numbers:
        return event.type
    return f"{event.type}, {len(numbers)} receipts, seq {numbers[0]} to {numbers[-1]}"
