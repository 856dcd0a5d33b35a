"""Wire format of streamed enrolment: lines of users in, lines of progress out (NDJSON)."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Literal, assert_never
from uuid import UUID

import msgspec

from api.bodies import strict_json
from api.bodies.field_errors import field_error
from api.errors import FieldError, FieldsError
from api.schemas.base import Body
from api.services.enrolments import Entry, Event, Finished, Progress, Refused, Stopped

NDJSON = "application/x-ndjson"
LINE_BYTES_MAX = 1_024
HEADER = b"user_id"
LINES_SHOWN_MAX = 100


class UserLine(Body, frozen=True, kw_only=True):
    user_id: UUID


class Tally(msgspec.Struct, frozen=True):
    """All lines up to `line` are done."""

    line: int
    enrolled: int
    failed: int


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a line; only the first 100 are told, all are counted."""

    line: int
    error: FieldError


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of a stream that was read to its end."""

    done: Literal[True] = True
    lines: int
    enrolled: int
    failed: int


class Cause(msgspec.Struct, frozen=True):
    status: int
    detail: str


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of a stream that ended early: all up to `line` are done, go on behind it."""

    done: Literal[False] = False
    line: int
    enrolled: int
    failed: int
    error: Cause


_DECODER: msgspec.json.Decoder[UUID | UserLine] = msgspec.json.Decoder(UUID | UserLine)


async def entries_of(chunks: AsyncIterable[bytes], *, plain: bool = False) -> AsyncGenerator[Entry]:
    """The lines of a text that comes in chunks of any size.

    Args:
        chunks: the text.
        plain: allow bare ids, too, and the header of a list that a database has exported.
    """
    number = 0
    async for whole in _lines_of(chunks):
        number += 1
        line = whole.removesuffix(b"\r")
        is_header = plain and number == 1 and line == HEADER
        yield Entry(number, None if is_header else _user_of(line, plain=plain))


async def _lines_of(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Lines without their ends; of one that is too long, just enough to see that it is."""
    held = b""
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            yield held + part
            held = b""
        held = (held + rest)[: LINE_BYTES_MAX + 2]  # with the \r of an allowed line's end
    if held:
        yield held


def _user_of(line: bytes, *, plain: bool) -> UUID | FieldError | None:
    if len(line) > LINE_BYTES_MAX:
        return FieldError("#", f"longer than {LINE_BYTES_MAX} bytes")
    text = line.strip()
    if not text:
        return None
    try:
        return _decoded(b'"%b"' % text if plain and text[:1] not in b'{["' else text)
    except msgspec.ValidationError as error:
        return field_error(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return FieldError("#", "not valid JSON")
    except FieldsError as error:
        fault: FieldError = error.members["errors"][0]
        return fault


def _decoded(text: bytes) -> UUID:
    decoded = _DECODER.decode(text)
    if isinstance(decoded, UUID):
        return decoded
    strict_json.check(text.decode())
    return decoded.user_id


def line_of(event: Event) -> bytes:
    """One line of the answer, with its end."""
    return msgspec.json.encode(_told(event)) + b"\n"


def _told(event: Event) -> Tally | Fault | Total | Cut:
    match event:
        case Refused(line, error):
            return Fault(line, error)
        case Progress(line, enrolled, failed):
            return Tally(line, enrolled, failed)
        case Finished(Progress(line, enrolled, failed)):
            return Total(lines=line, enrolled=enrolled, failed=failed)
        case Stopped(Progress(line, enrolled, failed), error):
            cause = Cause(error.status, error.detail)
            return Cut(line=line, enrolled=enrolled, failed=failed, error=cause)
        case _:
            assert_never(event)
