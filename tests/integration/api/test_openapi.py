"""The OpenAPI document: whole, self-contained, and about exactly our routes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.api.conftest import Api

ROUTES = {
    "/push/apps/{app_id}": {"get", "put"},
    "/push/apps/{app_id}/secret": {"post"},
    "/push/apps/{app_id}/users": {"post"},
    "/push/apps/{app_id}/users/{user_id}": {"get", "put", "delete"},
    "/push/config/{app_id}": {"get", "patch"},
    "/push/config/{app_id}/providers/apns": {"get", "put", "delete"},
    "/push/config/{app_id}/providers/fcm": {"get", "put", "delete"},
    "/push/config/{app_id}/providers/webpush": {"get", "put", "delete"},
    "/push/config/{app_id}/providers/pushy": {"get", "put", "delete"},
    "/push/devices/register": {"post"},
    "/push/devices/{id}": {"get", "delete"},
    "/push/send": {"post"},
    "/push/send/bulk": {"post"},
    "/push/send/batch": {"post"},
    "/push/notifications/{notification_id}": {"get"},
    "/auth/token": {"post"},
    "/.well-known/jwks.json": {"get"},
    "/livez": {"get"},
    "/readyz": {"get"},
}
PUBLIC = {"/auth/token", "/.well-known/jwks.json", "/livez", "/readyz"}


@pytest.fixture
async def document(api: Api) -> dict[str, Any]:
    answer = await api.http.get("/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    found: dict[str, Any] = answer.json()
    return found


def references(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if "$ref" in value:
                yield value["$ref"]
            for member in value.values():
                yield from references(member)
        case list():
            for member in value:
                yield from references(member)
        case _:
            pass


async def test_it_has_our_routes(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {path: set(item) for path, item in document["paths"].items()} == ROUTES


async def test_its_references_resolve(document: dict[str, Any]) -> None:
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


async def test_its_path_parameters_are_those_of_the_path(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            named = {row["name"] for row in operation.get("parameters", []) if row["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in named)
            assert len(named) == path.count("{")


async def test_every_operation_says_how_it_fails(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            assert {"4XX", "5XX"} <= operation["responses"].keys()
            assert (operation.get("security") == [{}]) is (path in PUBLIC)


async def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [op["operationId"] for item in document["paths"].values() for op in item.values()]
    assert len(ids) == len(set(ids))


async def test_it_is_the_same_each_time_and_names_no_other_host(api: Api) -> None:
    first, second = [(await api.http.get("/openapi.json")).text for _ in range(2)]
    assert first == second
    assert "http://" not in first
    assert json.loads(first)["components"]["schemas"]["SendBody"]["properties"]["data"] == {
        "description": "any JSON object",
        "type": "object",
    }
