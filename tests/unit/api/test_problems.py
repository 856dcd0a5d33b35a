"""Whatever a client sends is answered in problem+json, and never with a 500."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Router, post
from litestar.params import FromPath, JSONBody

from api.app import assemble
from api.bodies.field_errors import field_error
from api.errors import TooManyRegistrationsError
from api.schemas.config import ConfigBody
from shared.storage.mongo import StorageUnavailable
from tests.unit.api.doubles import client_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


@post("/strict", status_code=200)
async def strict(data: JSONBody[ConfigBody]) -> None: ...


@post("/raise/{name:str}")
async def fail(name: FromPath[str]) -> None:
    raise RAISED[name]


RAISED: dict[str, Exception] = {
    "away": StorageUnavailable("AutoReconnect"),
    "bug": ZeroDivisionError("secret in the text"),
    "limit": TooManyRegistrationsError(most=10, window_seconds=3_600, wait_seconds=7),
    "deep": RecursionError(),
}
APPLICATION = assemble([Router("/", route_handlers=[strict, fail])])


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(APPLICATION) as client:
        yield client


async def posted(
    http: httpx.AsyncClient, content: bytes, content_type: str | None = "application/json"
) -> httpx.Response:
    headers = {} if content_type is None else {"content-type": content_type}
    return await http.post("/strict", content=content, headers=headers)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"nul",
        b"\xff\xfe",
        b'{"webhook_url":"\xff"}',
        b'{"webhook_url":"\\ud800"}',
        b"[" * 60_000,
        b'{"enabled":' * 5_000,
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"[]",
        b"null",
        b'"x"',
        b"5",
        b'{"enabled":1}',
        b'{"enabled":"true"}',
        b'{"enabled":null}',
        b'{"daily_quota":-1}',
        b'{"daily_quota":1000000001}',
        b'{"daily_quota":1e3}',
        b'{"daily_quota":99999999999999999999999999}',
        b'{"receipts":"some"}',
        b'{"webhook_secret":"whsec_mine"}',
        b'{"version":1}',
    ],
)
async def test_a_bad_body_is_a_400(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await posted(http, content)
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (400, "Validation failed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["errors"][0]["pointer"].startswith("#")


@pytest.mark.parametrize(
    "content", [b"{}", b'{"daily_quota":1000000000}', b'{"daily_quota":null}', b'{"enabled":true}']
)
async def test_a_good_body_passes(http: httpx.AsyncClient, content: bytes) -> None:
    assert (await posted(http, content)).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/msgpack",
        "application/jsonp",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
    ],
)
async def test_another_content_type_is_a_415(
    http: httpx.AsyncClient, content_type: str | None
) -> None:
    assert (await posted(http, b"{}", content_type)).status_code == 415


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/JSON", "application/json; charset=UTF-8"]
)
async def test_json_is_json(http: httpx.AsyncClient, content_type: str) -> None:
    assert (await posted(http, b"{}", content_type)).status_code == 200


async def test_a_large_body_is_a_413(http: httpx.AsyncClient) -> None:
    assert (await posted(http, b" " * 65_537)).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/", 404), ("GET", "/%00", 404), ("GET", "/strict", 405)],
)
async def test_wrong_paths_and_methods(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == answer.json()["status"] == status
    assert ("allow" in answer.headers) is (status == 405)


async def test_storage_that_is_away_is_a_503(http: httpx.AsyncClient) -> None:
    answer = await http.post("/raise/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "AutoReconnect" not in answer.text


async def test_a_bug_is_a_500_that_tells_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post("/raise/bug")
    assert (answer.status_code, answer.json()["detail"]) == (500, "Internal error")
    assert "secret" not in answer.text


async def test_a_limit_says_when_to_come_back(http: httpx.AsyncClient) -> None:
    answer = await http.post("/raise/limit")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["ratelimit-policy"] == '"registrations";q=10;w=3600'
    assert answer.headers["ratelimit"] == '"registrations";r=0;t=7'


async def test_deep_nesting_is_a_400(http: httpx.AsyncClient) -> None:
    assert (await http.post("/raise/deep")).status_code == 400


@pytest.mark.parametrize("path", ["/nope", "/strict"])
async def test_the_trace_id_is_the_callers(http: httpx.AsyncClient, path: str) -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = await http.get(path, headers=headers)
    assert answer.headers["x-request-id"] == answer.json()["trace_id"] == TRACE


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "x",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{TRACE}",
    ],
)
async def test_a_bad_traceparent_is_replaced(http: httpx.AsyncClient, traceparent: str) -> None:
    answer = await http.get("/nope", headers={"traceparent": traceparent})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] != TRACE


@pytest.mark.parametrize(
    ("message", "pointer", "detail"),
    [
        ("Expected `int`, got `str` - at `$.ttl`", "#/ttl", "Expected `int`, got `str`"),
        ("Expected `uuid` - at `$.user_ids[3]`", "#/user_ids/3", "Expected `uuid`"),
        (
            "Object missing required field `title` - at `$.notifications[0]`",
            "#/notifications/0/title",
            "Object missing required field `title`",
        ),
        ("Object contains unknown field `x`", "#/x", "Object contains unknown field `x`"),
        ("Expected `object`, got `array`", "#", "Expected `object`, got `array`"),
    ],
)
def test_field_error_points(message: str, pointer: str, detail: str) -> None:
    error = field_error(message)
    assert (error.pointer, error.detail) == (pointer, detail)
