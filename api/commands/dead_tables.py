"""Dead letters as text for a terminal: a table of many, the members of one."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.schemas.dead_letters import DeadLetterAnswer, DeadLetterRow

_COLUMNS = (
    "died_at",
    "provider",
    "reason",
    "attempts",
    "dead_letter_id",
    "notification_id",
    "device_id",
    "app_id",
)


def as_table(rows: Sequence[DeadLetterRow]) -> str:
    """One line a row, below a line of headings; no wider than it must be."""
    lines = [_COLUMNS, *(tuple(_text(getattr(row, name)) for name in _COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_fields(answer: DeadLetterAnswer) -> str:
    """One line a member, those of its notification and delivery below them."""
    pairs = list(_pairs(answer, ""))
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name.ljust(width)}  {_text(value)}" for name, value in pairs)


def _pairs(struct: msgspec.Struct, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in msgspec.structs.asdict(struct).items():
        if isinstance(value, msgspec.Struct):
            yield from _pairs(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _text(value: Any) -> str:
    """As one word where it can be; what a provider has said moves no cursor."""
    if value is None or value == ():
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
