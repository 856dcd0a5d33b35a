"""Pointers and texts of faults that show nothing a caller wrote, unless it is short and plain."""

import re

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ECHO = re.compile(r"(Invalid (?:enum )?value)\b.*", re.DOTALL)


def point(pointer: str, key: str) -> str:
    """One step further, unless the key is not fit to be shown: a pointer must not skip a level."""
    return f"{pointer}/{key}" if _PLAIN.fullmatch(key) else pointer


def without_echo(text: str) -> str:
    """A text of msgspec that does not repeat the value it is about."""
    return _ECHO.sub(r"\1", text)
