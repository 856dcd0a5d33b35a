"""Msgspec's words for what is wrong with a value, as a field error with a JSON pointer."""

import re

from api.errors import FieldError
from api.pointers import point, without_echo

_AT = re.compile(r" - at (?:`key` in )?`\$((?:\.[A-Za-z_]\w*|\[(?:\d+|\.\.\.)\])*)`\Z", re.ASCII)
_STEP = re.compile(r"\w+")
_MEMBER = re.compile(r"(Object (?:missing required|contains unknown) field) `(.*)`", re.DOTALL)


def field_error(message: str) -> FieldError:
    """A text of msgspec ("Expected `int`, got `str` - at `$.users[3].ttl`") with a JSON pointer.

    msgspec writes `[...]` for a value of a dict: the pointer ends in front of it.
    """
    at = _AT.search(message)
    path, unnamed, _ = at[1].partition("[...]") if at else ("", "", "")
    pointer = "#" + "".join(f"/{step}" for step in _STEP.findall(path))
    text = message[: at.start()] if at else message
    if member := _MEMBER.fullmatch(text):
        here = point(pointer, member[2])
        text = text if here != pointer else member[1]  # what a caller wrote may be anything
        return FieldError(pointer if unnamed else here, text)
    return FieldError(pointer, without_echo(text))
