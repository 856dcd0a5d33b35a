"""What msgspec lets pass in JSON and we refuse: duplicate keys, NUL, lone surrogates, deep nesting.

One pass of the C scanner looks at every object and string, keeps none of them and converts no
number.
"""

import gc
import re
from json import JSONDecodeError, JSONDecoder
from typing import Any

from api.errors import FieldError, ValidationFailedError, invalid
from api.pointers import point

DEPTH_MAX = 64
_LARGE_CHARACTERS = 65_536

NOT_JSON = "not valid JSON"
DUPLICATE = "duplicate key"
_TOO_DEEP = f"nested deeper than {DEPTH_MAX}"
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_BRACKETS = str.maketrans("{}", "[]", " \t\n\r,:+-.0123456789Eaeflnrstu")  # outside of strings


class _Faulty(Exception):
    """The scanner met something that is refused; where it stands is looked up afterwards."""


class _Members(list[tuple[str, Any]]):
    """An object's members in their order."""


def check(text: str) -> None:
    """Look through a small body in one go: about 6 µs for 400 bytes, 60 ms for the worst of 1 MiB.

    Raises:
        ValidationFailedError: the first fault, and where it is.
    """
    try:
        look_through(text, "#", DEPTH_MAX)
    except JSONDecodeError:
        raise invalid("#", NOT_JSON) from None


def look_through(piece: str, pointer: str, depth_max: int) -> int:
    """The length of the value that the piece begins with; what follows it is not looked at.

    Raises:
        JSONDecodeError: it is not JSON, or it is cut off.
        ValidationFailedError: the first fault.
    """
    start = len(piece) - len(piece.lstrip(" \t\n\r"))
    try:
        end = (_scan if len(piece) < _LARGE_CHARACTERS else _scan_large)(piece, start)
        _check_depth(piece, end, depth_max)
    except (_Faulty, RecursionError):
        raise ValidationFailedError([_locate(piece, start, pointer, depth_max)]) from None
    return end


def _scan(piece: str, start: int) -> int:
    if "\\" not in piece:
        _, end = _PLAIN.raw_decode(piece, start)
        return end
    value, end = _WITH_ESCAPES.raw_decode(piece, start)
    _plain(value)
    return end


def _scan_large(piece: str, start: int) -> int:
    """Without the garbage collector: the many little things made here would keep it busy."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _scan(piece, start)
    finally:
        if was_enabled:
            gc.enable()


def _check_depth(piece: str, end: int, depth_max: int) -> None:
    if piece.count("[", 0, end) + piece.count("{", 0, end) <= depth_max:
        return
    brackets = without_strings(piece[:end]).translate(_BRACKETS)
    for _ in range(depth_max):  # each round takes the innermost pairs away
        brackets = brackets.replace("[]", "")
    if brackets:
        raise _Faulty


def without_strings(text: str) -> str:
    """Numbers, words, punctuation and space of a JSON text."""
    return _STRING.sub("", text)


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _Faulty


def _distinct_and_plain(pairs: list[tuple[str, Any]]) -> None:
    _distinct(pairs)
    for key, value in pairs:
        _plain(key)
        _plain(value)


def _plain(value: Any) -> None:
    if isinstance(value, str):
        if text_fault(value):
            raise _Faulty
    elif isinstance(value, list):
        for item in value:
            _plain(item)


def text_fault(text: str) -> str | None:
    """What is wrong with a decoded string."""
    if "\0" in text:
        return "NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "lone surrogate"
    return None


def _locate(piece: str, start: int, pointer: str, depth_max: int) -> FieldError:
    """The fault that a scanner met, by a slower pass that keeps the structure."""
    try:
        tree, _ = _TREE.raw_decode(piece, start)
        fault = _fault(tree, pointer, depth_max)
    except RecursionError:
        return FieldError(pointer, _TOO_DEEP)
    return fault or FieldError(pointer, NOT_JSON)


def _fault(value: Any, pointer: str, depth_left: int) -> FieldError | None:
    match value:
        case str():
            text = text_fault(value)
            return FieldError(pointer, text) if text else None
        case list() if not depth_left:
            return FieldError(pointer, _TOO_DEEP)
        case _Members():
            return _members_fault(value, pointer, depth_left - 1)
        case list():
            faults = (_fault(x, f"{pointer}/{i}", depth_left - 1) for i, x in enumerate(value))
            return next(filter(None, faults), None)
        case _:
            return None


def _members_fault(members: _Members, pointer: str, depth_left: int) -> FieldError | None:
    seen: set[str] = set()
    for key, value in members:
        here = point(pointer, key)
        if text := text_fault(key):
            return FieldError(here, text)
        if key in seen:
            return FieldError(here, DUPLICATE)
        seen.add(key)
        if fault := _fault(value, here, depth_left):
            return fault if here != pointer else FieldError(pointer, fault.detail)
    return None


def _scanner(hook: Any) -> JSONDecoder:
    """`bool` stands for the number's text: nothing is converted, whatever its size."""
    return JSONDecoder(object_pairs_hook=hook, parse_int=bool, parse_float=bool)


_PLAIN = _scanner(_distinct)
_WITH_ESCAPES = _scanner(_distinct_and_plain)
_TREE = _scanner(_Members)
