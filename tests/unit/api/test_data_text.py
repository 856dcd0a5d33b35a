"""`data`: what JSON allows survives, what we refuse is refused, limits are exact."""

import json
from typing import Any

import pytest

from api.bodies.data_text import compact_data, compact_object
from api.errors import DataTooLargeError, FieldError, ValidationFailedError


def refusal(raw: bytes) -> str:
    with pytest.raises(ValidationFailedError) as caught:
        compact_object(raw, "#/data")
    error: FieldError = caught.value.members["errors"][0]
    assert error.pointer == "#/data"
    return error.detail


def nested(depth: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    """An object `depth` levels deep."""
    return b'{"a":' + opening * (depth - 2) + b"[]" + closing * (depth - 2) + b"}"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"{}", "{}"),
        (b' { "a" : [ 1 , true , null , "x" ] } ', '{"a":[1,true,null,"x"]}'),
        (b'{"n":1e999,"m":-0.0,"o":1E+2,"p":123456789012345678901234567890}',) * 2,
        (b'{"n":0.1000000000000000055511151231257827}',) * 2,
        (b'{"":{"$where":1,"a.b":2}}',) * 2,
        (rb'{"a":"\u00e9\ud83d\ude00\/\u2028"}', '{"a":"é😀/\u2028"}'),
        (rb'{"a":"\"\\\b\f\n\r\t\u0001"}', r'{"a":"\"\\\b\f\n\r\t\u0001"}'),
        ('{"é":"\x7f"}'.encode(), '{"é":"\x7f"}'),
        (b'{"a":{"b":1},"c":{"b":2}}',) * 2,
        (b'{"b":1,"a":2}',) * 2,
    ],
)
def test_compact_object_keeps(raw: bytes, text: str | bytes) -> None:
    expected = text if isinstance(text, str) else text.decode()
    assert compact_object(raw, "#/data") == expected


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"5", b"null", b"true", b"1.5", b'"\\u0000"'])
def test_compact_object_refuses_what_is_no_object(raw: bytes) -> None:
    assert refusal(raw) == "must be a JSON object"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a":1,"a":2}', "duplicate key"),
        (rb'{"a":1,"\u0061":2}', "duplicate key"),
        (b'{"x":[{"a":1,"a":1}]}', "duplicate key"),
        (rb'{"a":"\u0000"}', "NUL character"),
        (rb'{"\u0000":1}', "NUL character"),
        (rb'{"a":"\ud800"}', "lone surrogate"),
        (rb'{"\udc00":1}', "lone surrogate"),
        (rb'{"a":"\ude00\ud83d"}', "lone surrogate"),
        (b'{"a":"\xff"}', "not valid JSON"),
        (b'{"a":"\x01"}', "not valid JSON"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":-Infinity}', "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":01}', "not valid JSON"),
        (nested(17), "nested deeper than 16"),
        (nested(17, b"[", b"]"), "nested deeper than 16"),
        (nested(4_000), "not valid JSON"),
        (nested(100_000), "at most 4096 bytes"),
    ],
)
def test_compact_object_refuses(raw: bytes, reason: str) -> None:
    assert refusal(raw) == reason


@pytest.mark.parametrize("raw", [nested(16), nested(16, b"[", b"]")])
def test_compact_object_takes_sixteen_levels(raw: bytes) -> None:
    assert compact_object(raw, "#/data") == raw.decode()


def filled(size: int, character: str = "x", **dump: Any) -> bytes:
    """An object of exactly `size` bytes as compact UTF-8."""
    width = len(character.encode())
    count, rest = divmod(size - len('{"a":""}'), width)
    return json.dumps({"a": character * count + "y" * rest}, **dump).encode()


@pytest.mark.parametrize("character", ["x", "é", "漢", "😀"])
@pytest.mark.parametrize("dump", [{}, {"indent": 8}, {"ensure_ascii": False}])
def test_compact_object_counts_compact_bytes(character: str, dump: dict[str, Any]) -> None:
    text = compact_data(filled(4_096, character, **dump), "#/data")
    assert len(text.encode()) == 4_096
    with pytest.raises(DataTooLargeError):
        compact_data(filled(4_097, character, **dump), "#/data")


def test_compact_object_ignores_space_between() -> None:
    assert compact_object(b"{" + b" " * 100_000 + b"}", "#/data") == "{}"
