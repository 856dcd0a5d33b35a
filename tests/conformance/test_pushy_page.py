"""docs/pushy.md tells of what is there: routes, refusals, examples, statements."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from api import errors
from api.services import pushy_errors
from api.services.pushy_devices import ALL_TOPICS
from tests.conformance.pushy.statements import STATEMENTS
from tests.conformance.report import PUSHY, WRITE, with_table
from tests.conformance.test_page import plain, read
from tests.front_door import Api

TEXT = PUSHY.page.read_text()
COMMANDS = re.findall(r"^```sh\n(curl .*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
Json = dict[str, Any]
Route = tuple[str, str]


@pytest.fixture
async def document(pushy_api: Api) -> Json:
    found: Json = (await pushy_api.http.get("/openapi.json")).json()
    return found


def routes_of(document: Json) -> dict[Route, Json]:
    return {
        (method.upper(), plain(path)): operation
        for path, item in document["paths"].items()
        if path.startswith("/api/v1/")
        for method, operation in item.items()
    }


def test_the_table_of_statements_is_up_to_date() -> None:
    assert with_table(TEXT, PUSHY) == TEXT, f"run {WRITE}"


async def test_the_page_has_every_route_and_no_other(document: Json) -> None:
    listed = re.findall(r"^### ([A-Z]+) (/\S+)$", TEXT, re.MULTILINE)

    assert sorted((method, plain(path)) for method, path in listed) == sorted(routes_of(document))


def test_each_route_has_an_example() -> None:
    sections = re.split(r"^### (?=[A-Z]+ /)", TEXT, flags=re.MULTILINE)[1:]

    for section in sections:
        assert "```sh\ncurl " in section, section.splitlines()[0]


async def test_examples_are_what_the_routes_take(document: Json) -> None:
    routes = routes_of(document)

    for command in map(read, COMMANDS):
        method, path = command.route
        operation = routes[method, path.replace("/topics/announcements/", "/topics/{}/")]
        if command.body is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            jsonschema_rs.validate({**document, **schema}, command.body)


def test_examples_are_those_of_the_seed() -> None:
    bodies = [command.body for command in map(read, COMMANDS) if command.body is not None]
    names = ("register", "subscribe", "unsubscribe", "send")

    assert bodies == [STATEMENTS[f"{name}.request"].example for name in names]


def test_refusals_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", TEXT, re.MULTILINE)
    told = {(int(status), text) for status, cell in rows for text in re.findall("`(.+?)`", cell)}
    modules = (errors, pushy_errors)
    kinds = (kind for module in modules for kind in vars(module).values())
    refusals = [k for k in kinds if isinstance(k, type) and issubclass(k, errors.ServiceError)]
    known = {(kind.status, kind.detail) for kind in refusals if hasattr(kind, "detail")}

    assert told - known == {(404, "Not found"), (405, "Method not allowed")}
    pushys = [kind for kind in refusals if issubclass(kind, pushy_errors.PushyError)]
    assert {(k.status, k.detail) for k in pushys if hasattr(k, "detail")} <= told


def test_the_answers_shown_are_those_of_the_seed() -> None:
    names = ("register", "list", "subscribe", "subscribers", "send")

    for name in names:
        data = json.dumps(STATEMENTS[f"{name}.response"].example["data"])
        assert f"`data`: `{data}`" in TEXT, name
    assert f"has `{ALL_TOPICS}` in it" in TEXT
