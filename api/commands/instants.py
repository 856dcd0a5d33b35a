"""Instants on the command line."""

from datetime import UTC, datetime

import typer


def instant(text: str) -> datetime:
    """An RFC 3339 time with its offset, in UTC."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter("no RFC 3339 time, such as 2026-03-19T08:00:00Z") from None
    raise typer.BadParameter("has no time zone; end it with Z for UTC")
