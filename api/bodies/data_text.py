"""The `data` of a notification: checked, and kept as compact JSON text with its numbers as sent."""

import json
from json.encoder import encode_basestring
from typing import Any

from api.errors import DataTooLargeError, FieldError, invalid
from shared.domain.notifications import DATA_BYTES_MAX, DATA_DEPTH_MAX

ESCAPE_BYTES = len("\\u0041")


class _Number(str):
    """A number's own text: whatever JSON can write survives, 1e999 included."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """An object's members in their order."""


class _Refused(ValueError):
    """Valid JSON that is not allowed; the text says why."""


def compact_data(raw: bytes, pointer: str) -> str:
    """The text of a notification's `data`.

    Raises:
        DataTooLargeError: it has more than 4,096 bytes.
        ValidationFailedError: as compact_object.
    """
    if not _is_hopeless(raw):
        text = compact_object(raw, pointer)
        if len(text.encode()) <= DATA_BYTES_MAX:
            return text
    raise DataTooLargeError([FieldError(pointer, f"at most {DATA_BYTES_MAX} bytes")])


def compact_object(raw: bytes, pointer: str) -> str:
    """The JSON text of an object without insignificant space and needless escapes.

    Raises:
        ValidationFailedError: no object, no JSON, too deep, NUL, lone surrogate, duplicate key; or
            it can only be larger than any object may be.
    """
    if _is_hopeless(raw):
        raise invalid(pointer, f"at most {DATA_BYTES_MAX} bytes")
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_members,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_constant,
        )
        text = _object_text(value)
        text.encode()
    except _Refused as error:
        raise invalid(pointer, str(error)) from None
    except UnicodeEncodeError:
        raise invalid(pointer, "lone surrogate") from None
    except (ValueError, RecursionError):
        raise invalid(pointer, "not valid JSON") from None
    return text


def _is_hopeless(raw: bytes) -> bool:
    """Whether it is too large without a look inside, which would take long: 6 bytes write 1."""
    return len(raw.translate(None, b" \t\r\n")) > ESCAPE_BYTES * DATA_BYTES_MAX


def _object_text(value: Any) -> str:
    if not isinstance(value, _Members):
        raise _Refused("must be a JSON object")
    return _text(value, 1)


def _members(pairs: list[tuple[str, Any]]) -> _Members:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Refused("duplicate key")
    return _Members(pairs)


def _constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _text(value: Any, depth: int) -> str:
    if isinstance(value, list) and depth > DATA_DEPTH_MAX:
        raise _Refused(f"nested deeper than {DATA_DEPTH_MAX}")
    match value:
        case _Members():
            members = (f"{_quoted(key)}:{_text(member, depth + 1)}" for key, member in value)
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(_text(item, depth + 1) for item in value) + "]"
        case _Number():
            return str(value)
        case str():
            return _quoted(value)
        case _:
            return {None: "null", True: "true", False: "false"}[value]


def _quoted(text: str) -> str:
    if "\0" in text:
        raise _Refused("NUL character")
    quoted: str = encode_basestring(text)
    return quoted
