"""Strict JSON of any size, looked through piece by piece, so that others are answered meanwhile.

It comes before the decode: msgspec holds all entries of an array before it refuses their number.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterator
from json import JSONDecodeError, JSONDecoder

from api.bodies.strict_json import (
    DEPTH_MAX,
    DUPLICATE,
    NOT_JSON,
    look_through,
    text_fault,
    without_strings,
)
from api.errors import invalid
from api.pointers import point

ENTRY_BYTES_MAX = 524_288  # a send of its own has this limit, too
VALUES_PER_ENTRY_MAX = 32_768  # five members of 4,096 bytes each can hold 20,480 at most
PIECES_MAX = 10_000
STRINGS_MAX = 100_000  # the tokens of one direct push
_USUAL_BYTES_MAX = 131_072
_BRACE, _BRACKET, _BRACKET_END, _QUOTE, _COMMA = b'{[]",'
_SPACE = re.compile(rb"[ \t\n\r]*")
# Some hundred entries at once that need no look inside, each with its comma.
_PLAIN_STRINGS = re.compile(rb'(?:"[ !#-\[\]-~]{0,512}+"[ \t\n\r]*+,[ \t\n\r]*+){1,500}+')
_KEYS = JSONDecoder()


def check_in_pieces(body: bytes) -> Iterator[None]:
    """Look through an object of any size; each yield ends a little work.

    What is not JSON may pass here, but nothing that is JSON passes unseen.

    Raises:
        ValidationFailedError: the first fault, and where it is.
    """
    try:
        for count, pointer in enumerate(_pieces(body)):
            if count == PIECES_MAX:
                raise invalid(pointer, f"more than {PIECES_MAX} entries")
            yield
    except (JSONDecodeError, UnicodeDecodeError, IndexError):
        raise invalid("#", NOT_JSON) from None


def _pieces(body: bytes) -> Iterator[str]:
    """Check each member, and each entry of a member that is an array; yields their pointers."""
    keys: set[str] = set()
    at = _skip(body, 0)
    at = _skip(body, at + 1) if body[at] == _BRACE else len(body) - 1
    while body[at] == _QUOTE:
        key, length = _key(_text(body[at : at + _USUAL_BYTES_MAX]))
        here = point("#", key)
        if fault := DUPLICATE if key in keys else text_fault(key):
            raise invalid(here, fault)
        keys.add(key)
        at = _skip(body, _skip(body, at + length) + 1)  # past the colon
        if body[at] == _BRACKET:
            at = yield from _entries(body, at + 1, here)
        else:
            at = _past_value(body, at, here, DEPTH_MAX - 1)
            yield here
        at = _past_comma(body, at)


def _entries(body: bytes, at: int, pointer: str) -> Generator[str, None, int]:
    index = 0
    while body[at := _skip(body, at)] != _BRACKET_END:
        if strings := _PLAIN_STRINGS.match(body, at):
            at = strings.end()
            index += strings[0].count(b'"') // 2
        else:
            end = _past_value(body, at, f"{pointer}/{index}", DEPTH_MAX - 2)
            at = _past_comma(body, end)
            index += 1
        if index > STRINGS_MAX:
            raise invalid(pointer, f"more than {STRINGS_MAX} entries")
        yield pointer
    return at + 1


def _past_value(body: bytes, at: int, pointer: str, depth_max: int) -> int:
    """Check the value at a place, in a copy that bounds what it can cost."""
    for size in (_USUAL_BYTES_MAX, ENTRY_BYTES_MAX):
        piece = _text(body[at : at + size])
        try:
            end = look_through(piece, pointer, depth_max)
        except JSONDecodeError:
            if at + size >= len(body):
                raise
        else:
            _check_count(piece[:end], pointer)
            return at + _byte_count(piece, end)
    raise invalid(pointer, f"not valid JSON, or larger than {ENTRY_BYTES_MAX} bytes")


def _check_count(text: str, pointer: str) -> None:
    """What is skipped in the decode, like `data`, is full of values only when it means harm."""
    if (
        _values(text) > VALUES_PER_ENTRY_MAX
        and _values(without_strings(text)) > VALUES_PER_ENTRY_MAX
    ):
        raise invalid(pointer, f"more than {VALUES_PER_ENTRY_MAX} values")


def _values(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _key(piece: str) -> tuple[str, int]:
    """The text that a piece begins with, and how many bytes it takes."""
    key, end = _KEYS.raw_decode(piece)
    return key, _byte_count(piece, end)


def _text(piece: bytes) -> str:
    """Without the character that the end of the piece may have cut."""
    return getincrementaldecoder("utf-8")().decode(piece)


def _byte_count(text: str, end: int) -> int:
    return end if text.isascii() else len(text[:end].encode())


def _skip(body: bytes, at: int) -> int:
    space = _SPACE.match(body, at)
    return space.end() if space else at


def _past_comma(body: bytes, at: int) -> int:
    at = _skip(body, at)
    return _skip(body, at + 1) if body[at] == _COMMA else at
