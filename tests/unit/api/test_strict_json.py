"""What the types let pass is found, and pointed at, in small bodies and in large ones."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies.large_json import ENTRY_BYTES_MAX, STRINGS_MAX, check_in_pieces
from api.bodies.strict_json import DEPTH_MAX, check
from api.errors import ValidationFailedError

Check = Callable[[str], None]
WIDE = "\U0001f600"
LONG = "k" * 64


def in_pieces(text: str) -> None:
    for _ in check_in_pieces(text.encode()):
        pass


def fault(look: Check, text: str) -> tuple[str, str]:
    with pytest.raises(ValidationFailedError) as caught:
        look(text)
    (error,) = caught.value.members["errors"]
    return error.pointer, error.detail


def nested(opening: str, closing: str, depth: int) -> str:
    """An object that holds a value so deep; the object itself is the first level."""
    return '{"a":' + opening * (depth - 1) + closing * (depth - 1) + "}"


@pytest.mark.parametrize("look", [check, in_pieces])
@pytest.mark.parametrize(
    ("text", "pointer", "detail"),
    [
        ('{"a":1,"a":1}', "#/a", "duplicate key"),
        ('{"a":1,"b":[],"\\u0061":2}', "#/a", "duplicate key"),
        ('{"a":{"b":1,"b":2}}', "#/a/b", "duplicate key"),
        ('{"a":[1,{"b":{"c":1,"c":2}}]}', "#/a/1/b/c", "duplicate key"),
        ('{"a":[[{},{"b":1,"b":1}]]}', "#/a/0/1/b", "duplicate key"),
        ('{"a":{"b c":1,"b c":2}}', "#/a", "duplicate key"),
        ('{"a":{"b/c":{"d":1,"d":1}}}', "#/a", "duplicate key"),
        ('{"a":{"":1,"":2}}', "#/a", "duplicate key"),
        (f'{{"a":{{"{LONG}":1,"{LONG}":2}}}}', f"#/a/{LONG}", "duplicate key"),
        (f'{{"a":{{"{LONG}x":1,"{LONG}x":2}}}}', "#/a", "duplicate key"),
        ('{"a":"\\u0000"}', "#/a", "NUL character"),
        ('{"a":["x",["\\u0000"]]}', "#/a/1/0", "NUL character"),
        ('{"a":{"\\u0000":1}}', "#/a", "NUL character"),
        ('{"a":{"\\u0000":{"b":"\\u0000"}}}', "#/a", "NUL character"),
        ('{"a":"x\\ud800"}', "#/a", "lone surrogate"),
        ('{"a":"\\ude00\\ud83d"}', "#/a", "lone surrogate"),
        ('{"a":{"b":"\\uDBFF\\u0041"}}', "#/a/b", "lone surrogate"),
        ('{"a":{"\\ud800":1}}', "#/a", "lone surrogate"),
        (nested("[", "]", 65), "#/a" + "/0" * 63, "nested deeper than 64"),
        (nested('{"b":[', "]}", 34), "#/a" + "/b/0" * 31 + "/b", "nested deeper than 64"),
    ],
)
def test_a_fault_is_pointed_at(look: Check, text: str, pointer: str, detail: str) -> None:
    assert fault(look, text) == (pointer, detail)


@pytest.mark.parametrize("look", [check, in_pieces])
def test_nesting_beyond_the_scanner_is_a_fault(look: Check) -> None:
    pointer, detail = fault(look, nested("[", "]", 50_000))
    assert pointer in {"#", "#/a", "#/a/0"}
    assert detail == "nested deeper than 64"


@pytest.mark.parametrize("look", [check, in_pieces])
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        " \t\r\n{ \n } \n",
        '{"a":[]}',
        ' { "a" : [ 1 , 2 ] , "b" : { } } ',
        '{"a":[{"b":1},{"b":1}],"b":1}',
        '{"a":"\\\\u0000"}',
        '{"a":"\\\\ud800"}',
        '{"a":"\\ud83d\\ude00"}',
        '{"a":"' + WIDE + '"}',
        '{"a":"' + "[{" * 100 + '"}',
        '{"a":"' + '\\"[{' * 100 + '"}',
        '{"a":[' + "[],{}," * 100 + "1]}",
        nested("[", "]", 64),
        '{"a":1e999,"b":-0,"c":-0.0,"d":1.5E+400}',
        '{"a":' + "9" * 5_000 + ',"b":[' + "9" * 5_000 + "]}",
        '{"a":true,"b":false,"c":null}',
    ],
)
def test_what_json_allows_passes(look: Check, text: str) -> None:
    look(text)


def in_both(text: str) -> list[tuple[str, str] | None]:
    found: list[tuple[str, str] | None] = []
    for look in (check, in_pieces):
        try:
            look(text)
            found.append(None)
        except ValidationFailedError as error:
            (only,) = error.members["errors"]
            found.append((only.pointer, only.detail))
    return found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a\0\ud800[{"\\', max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text("ab\0", max_size=1), VALUES), st.booleans())
def test_any_text_is_judged_by_its_strings(value: dict[str, Any], escapes: bool) -> None:
    try:
        text = json.dumps(value, ensure_ascii=escapes)
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value)
    whole, pieces = in_both(text)
    has_fault = "\\u0000" in text.replace("\\\\", "") or "\\ud800" in text.replace("\\\\", "")
    assert (whole is not None) == (pieces is not None) == has_fault


def test_a_large_entry_is_refused() -> None:
    entry = '"' + "x" * (ENTRY_BYTES_MAX - 2) + '"'
    in_pieces('{"a":[1,' + entry + "]}")
    larger = '{"a":[1,' + entry[:-1] + 'x"]}'
    assert fault(in_pieces, larger) == (
        "#/a/1",
        "not valid JSON, or larger than 524288 bytes",
    )


@pytest.mark.parametrize(
    ("value", "most"), [("1,", 32_763), ('"a",', 32_763), ("[],", 16_381), ("{},", 16_381)]
)
def test_an_entry_full_of_values_is_refused(value: str, most: int) -> None:
    def entry(count: int) -> str:
        return '{"a":[1,{"b":[' + value * count + "1]}]}"

    in_pieces(entry(most))
    assert fault(in_pieces, entry(most + 10)) == ("#/a/1", "more than 32768 values")


def test_a_text_full_of_punctuation_passes() -> None:
    in_pieces('{"a":[{"b":"' + '[{,\\"' * 30_000 + '"}]}')


def test_an_entry_larger_than_usual_is_checked_whole() -> None:
    entry = '{"b":"' + "x" * 200_000 + '","c":1,"c":2}'
    assert fault(in_pieces, '{"a":[' + entry + "]}") == ("#/a/0/c", "duplicate key")


@pytest.mark.parametrize("character", ["x", "\\ud83d\\ude00", WIDE])
def test_a_large_body_is_checked_in_little_memory(character: str) -> None:
    row = json.dumps({"a": ["x"] * 10, "b": 1})[:-1] + ', "c": "' + character * 4_000 + '"}'
    body = ('{"rows":[' + ",".join([row] * 200) + "]}").encode()
    tracemalloc.start()
    steps = sum(1 for _ in check_in_pieces(body))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert steps == 200
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("entry", "detail"),
    [
        ('"\\u0000"', "NUL character"),
        ('"\\ud800"', "lone surrogate"),
        ('{"b":1,"b":2}', "duplicate key"),
    ],
)
def test_a_fault_among_many_plain_strings_is_found(entry: str, detail: str) -> None:
    pointer, text = fault(in_pieces, '{"a":[' + '"x" , ' * 1_234 + entry + ',"y"]}')
    assert pointer.startswith("#/a/1234")
    assert text == detail


def test_plain_strings_are_passed_over_many_at_once() -> None:
    tokens = json.dumps({"a": [f"{n:022x}" for n in range(STRINGS_MAX)]}).encode()
    assert sum(1 for _ in check_in_pieces(tokens)) < 500
    pointer, text = fault(in_pieces, tokens.decode().replace("]", ',"x"]'))
    assert (pointer, text) == ("#/a", "more than 100000 entries")


def test_depth_is_counted_from_the_body() -> None:
    rows = '{"rows":[' + nested("[", "]", DEPTH_MAX - 2) + "]}"
    in_pieces(rows)
    assert fault(in_pieces, rows.replace("[]", "[[]]"))[1] == "nested deeper than 64"
