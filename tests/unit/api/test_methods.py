"""What is looked at before each route: OPTIONS, and query parameters that are not clear."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import httpx
import pytest
from litestar import Router, delete, get, put
from litestar.params import FromPath, QueryParameter

from api.app import assemble
from tests.unit.api.doubles import client_of


@get("/things/{thing_id:str}")
async def list_things(
    thing_id: FromPath[str],
    colour: Annotated[Literal["red"] | None, QueryParameter()] = None,
) -> dict[str, Any]:
    return {"thing_id": thing_id, "colour": colour}


@put("/things/{thing_id:str}")
async def put_thing(thing_id: FromPath[str]) -> None: ...


@delete("/things/{other_name:str}", status_code=200)
async def delete_thing(other_name: FromPath[str]) -> None: ...


APPLICATION = assemble([Router("/", route_handlers=[list_things, put_thing, delete_thing])])


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(APPLICATION) as client:
        yield client


@pytest.mark.parametrize("method", ["OPTIONS", "PATCH"])
async def test_a_path_names_all_its_methods(http: httpx.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/things/1")

    assert answer.status_code == (204 if method == "OPTIONS" else 405)
    assert set(answer.headers["allow"].split(", ")) == {"DELETE", "GET", "OPTIONS", "PUT"}


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("colour=null", "must not be null"),
        ("colour=NULL", "must not be null"),
        ("colour=red&colour=red", "given more than once"),
        ("unknown=1&unknown=1", "given more than once"),
    ],
)
async def test_an_unclear_parameter_is_refused(
    http: httpx.AsyncClient, query: str, detail: str
) -> None:
    answer = await http.get(f"/things/1?{query}")

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"pointer": f"#/{query.partition('=')[0]}", "detail": detail}
    ]


@pytest.mark.parametrize("query", ["", "?colour=red", "?unknown=null"])
async def test_clear_parameters_are_taken(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"/things/1{query}")

    assert answer.status_code == 200
    assert answer.json()["colour"] == ("red" if "red" in query else None)
