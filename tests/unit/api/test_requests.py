"""Bodies are strict JSON, whatever their size; errors point at the place and echo nothing."""

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from litestar import Router, get, post
from litestar.params import JSONBody, QueryParameter

from api.app import assemble
from api.bodies.field_errors import field_error
from api.schemas.base import Body
from tests.unit.api.doubles import client_of

JSON = {"content-type": "application/json"}
LARGE = 2_000_000


class Row(Body, frozen=True, kw_only=True):
    text: str = ""
    number: int = 0
    anything: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class Rows(Body, frozen=True, kw_only=True):
    rows: Annotated[list[Row], msgspec.Meta(max_length=500)] = msgspec.field(default_factory=list)
    named: dict[str, Row] = msgspec.field(default_factory=dict)


@post("/rows", status_code=200, request_max_body_size=41_943_040)
async def take(data: JSONBody[Rows]) -> int:
    return len(data.rows)


@get("/list")
async def show(limit: Annotated[int, QueryParameter(ge=1)] = 1) -> int:
    return limit


APPLICATION = assemble([Router("/", route_handlers=[take, show])])


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(APPLICATION) as client:
        yield client


async def posted(http: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    return await http.post("/rows", content=content, headers=JSON | headers)


def errors(answer: httpx.Response) -> Any:
    assert (answer.status_code, answer.json()["detail"]) == (400, "Validation failed")
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize("padding", ["", " " * LARGE])
@pytest.mark.parametrize(
    ("text", "pointer", "detail"),
    [
        ('{"rows":[],"rows":[]}', "#/rows", "duplicate key"),
        ('{"rows":[{"number":1,"number":1}]}', "#/rows/0/number", "duplicate key"),
        (
            '{"rows":[{},{"anything":{"a":{"b":1,"b":1}}}]}',
            "#/rows/1/anything/a/b",
            "duplicate key",
        ),
        ('{"named":{"a":{},"a":{}}}', "#/named/a", "duplicate key"),
        ('{"rows":[{"text":"\\u0000"}]}', "#/rows/0/text", "NUL character"),
        ('{"named":{"\\u0000":{}}}', "#/named", "NUL character"),
        ('{"rows":[{"anything":' + "[" * 100 + "]" * 100 + "}]}", None, "nested deeper than 64"),
        ('{"rows":[{"anything":' + "[" * 30_000, None, None),
        ('{"rows":[]} {}', "#", "not valid JSON"),
        ('{"rows":[] "named":{}}', "#", "not valid JSON"),
        ('{"rows":[{} {}]}', "#", "not valid JSON"),
        ('{"rows":[{},]}', "#", "not valid JSON"),
        ('{"rows"[]}', None, None),
        ('{"rows":', "#", "not valid JSON"),
        ('{"rows":[', "#", "not valid JSON"),
        ('{"rows', "#", "not valid JSON"),
        ("{[]:1}", "#", "not valid JSON"),
        ("{", "#", "not valid JSON"),
        ("[{}]", "#", "Expected `object`, got `array`"),
        ('"x"', "#", "Expected `object`, got `str`"),
        ('\ufeff{"rows":[]}', "#", "not valid JSON"),
        ('{"rows":[NaN]}', "#", "not valid JSON"),
        ('{"rows":[{"number":1e999}]}', "#/rows/0/number", "Number out of range"),
        ('{"rows":[{"number":' + "9" * 5_000 + "}]}", "#/rows/0/number", None),
        ('{"rows":[{"number":"5"}]}', "#/rows/0/number", "Expected `int`, got `str`"),
        ('{"named":{"a":{"number":"5"}}}', "#/named", "Expected `int`, got `str`"),
        ('{"rows":[{"x":1}]}', "#/rows/0/x", "Object contains unknown field `x`"),
        ('{"rows":[{"x y":1}]}', "#/rows/0", "Object contains unknown field"),
    ],
)
async def test_a_fault_is_a_400(
    http: httpx.AsyncClient, text: str, pointer: str | None, detail: str | None, padding: str
) -> None:
    answer = await posted(http, (text + padding).encode())
    ((found, why),) = errors(answer)
    assert (found, why) == (pointer or found, detail or why)


@pytest.mark.parametrize("padding", [b"", b" " * LARGE])
@pytest.mark.parametrize("anything", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80"])
async def test_other_encodings_are_a_400(
    http: httpx.AsyncClient, anything: bytes, padding: bytes
) -> None:
    answer = await posted(http, b'{"rows":[{"anything":"' + anything + b'"}]}' + padding)
    assert errors(answer) == [("#", "not valid JSON")]


@pytest.mark.parametrize("padding", ["", " " * LARGE])
@pytest.mark.parametrize("value", ["1e999", "9" * 5_000, "-0", "-0.0", '{"":0,"~/":1,"é":2}'])
async def test_anything_may_hold_what_json_allows(
    http: httpx.AsyncClient, value: str, padding: str
) -> None:
    text = '{"rows":[{"anything":[' + value + "]}]}" + padding
    assert (await posted(http, text.encode())).status_code == 200


async def test_a_large_row_is_a_400(http: httpx.AsyncClient) -> None:
    rows = [{"text": "x"}, {"text": "x" * LARGE}]
    answer = await posted(http, json.dumps({"rows": rows}).encode())
    assert errors(answer) == [("#/rows/1", "not valid JSON, or larger than 524288 bytes")]


@pytest.mark.parametrize("count", [501, 1_000_000])
async def test_too_many_rows_are_a_400(http: httpx.AsyncClient, count: int) -> None:
    answer = await posted(http, b'{"rows":[' + b",".join([b"{}"] * count) + b"]}")
    ((pointer, _),) = errors(answer)
    assert pointer == "#/rows"


@pytest.mark.parametrize("anything", ["[],", "{},", '"",', "1,", '{"a":[]},'])
async def test_a_row_full_of_little_things_costs_little(
    http: httpx.AsyncClient, anything: str
) -> None:
    row = '{"anything":[' + anything * (8_000_000 // len(anything)) + "1]}"
    tracemalloc.start()
    answer = await posted(http, ('{"rows":[' + row + "]}").encode())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 400
    assert peak < 80_000_000


async def test_others_are_answered_while_a_large_body_is_checked(http: httpx.AsyncClient) -> None:
    row = {"text": "\U0001f600" * 6_000}
    content = json.dumps({"rows": [row] * 500}).encode()
    posting = asyncio.create_task(posted(http, content))
    turns, longest, before = 0, 0.0, time.thread_time()
    while not posting.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        turns, longest, before = turns + 1, max(longest, now - before), now
    assert (await posting).json() == 500
    assert turns > 500
    assert longest < 0.25  # seconds of this thread's own time, for 36 MB


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"content-encoding": "gzip"}, "Content-Encoding is not supported"),
        ({"content-encoding": "identity, gzip"}, "Content-Encoding is not supported"),
        ({"content-type": "text/plain"}, "Content-Type must be application/json"),
    ],
)
async def test_other_encodings_and_types_are_a_415(
    http: httpx.AsyncClient, headers: dict[str, str], detail: str
) -> None:
    answer = await posted(http, b"{}", **headers)
    assert (answer.status_code, answer.json()["detail"]) == (415, detail)


async def test_two_content_types_are_a_415(http: httpx.AsyncClient) -> None:
    twice = [("content-type", "application/json"), ("content-type", "text/plain")]
    answer = await http.post("/rows", content=b"{}", headers=twice)
    assert answer.status_code == 415


async def test_the_identity_encoding_is_none(http: httpx.AsyncClient) -> None:
    headers = {"content-encoding": "Identity"}
    assert (await posted(http, b"{}", **headers)).status_code == 200


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("limit=5&limit=6", "#/limit"), ("limit=5&limit=5", "#/limit"), ("a%20b=1&a%20b=1", "#")],
)
async def test_a_repeated_parameter_is_a_400(
    http: httpx.AsyncClient, query: str, pointer: str
) -> None:
    answer = await http.get(f"/list?{query}")
    assert errors(answer) == [(pointer, "given more than once")]


@pytest.mark.parametrize(
    ("message", "pointer", "detail"),
    [
        ("Expected `int` - at `$.a[...]`", "#/a", "Expected `int`"),
        ("Expected `int` - at `$.a[...].b[0]`", "#/a", "Expected `int`"),
        ("Expected `int` - at `$[...]`", "#", "Expected `int`"),
        ("Expected `str` - at `key` in `$.a`", "#/a", "Expected `str`"),
        (
            "Object missing required field `b` - at `$.a[...]`",
            "#/a",
            "Object missing required field `b`",
        ),
        (
            "Object contains unknown field `a\nb` - at `$.c[1]`",
            "#/c/1",
            "Object contains unknown field",
        ),
        (f"Object contains unknown field `{'k' * 65}`", "#", "Object contains unknown field"),
        ("Object contains unknown field `a/b`", "#", "Object contains unknown field"),
        ("Invalid enum value 'token' - at `$.a`", "#/a", "Invalid enum value"),
        ("Invalid value 'a\nb' - at `$`", "#", "Invalid value"),
    ],
)
def test_field_error_skips_no_level_and_echoes_nothing(
    message: str, pointer: str, detail: str
) -> None:
    error = field_error(message)
    assert (error.pointer, error.detail) == (pointer, detail)
