"""docs/api.md tells of what is there: routes, refusals, examples, statements."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs
import pytest

from api import errors
from tests.conformance.report import PAGE, WRITE, with_table
from tests.front_door import Api

TEXT = PAGE.read_text()
COMMANDS = re.findall(r"^```sh\n(curl .*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
PROVIDERS = ("apns", "fcm", "webpush", "pushy")
OURS = ("/push/", "/auth/", "/.well-known/")
Json = dict[str, Any]
Route = tuple[str, str]


class Command(NamedTuple):
    """A curl line: its route, and its body where that is JSON."""

    route: Route
    body: Any


@pytest.fixture
async def document(api: Api) -> Json:
    found: Json = (await api.http.get("/openapi.json")).json()
    return found


def plain(path: str) -> str:
    """The path, whatever its parameters are called."""
    return re.sub(r"\{\w+\}|\$\w+", "{}", path.partition("?")[0])


def routes_of(document: Json) -> dict[Route, Json]:
    return {
        (method.upper(), plain(path)): operation
        for path, item in document["paths"].items()
        if path.startswith(OURS)
        for method, operation in item.items()
    }


def headed() -> Iterator[Route]:
    for method, path in re.findall(r"^### ([A-Z]+) (/\S+)$", TEXT, re.MULTILINE):
        providers = PROVIDERS if "{provider}" in path else ("",)
        yield from ((method, plain(path.replace("{provider}", name))) for name in providers)


def read(command: str) -> Command:
    words = shlex.split(command.replace("\\\n", " "))
    (address,) = [word for word in words if word.startswith("$API")]
    bodies = [words[at + 1] for at, word in enumerate(words) if word == "-d"]
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if bodies else "GET"
    is_json = "content-type: application/json" in words
    body = json.loads(bodies[0]) if is_json else None
    return Command((method, plain(address.removeprefix("$API"))), body)


def test_the_table_of_statements_is_up_to_date() -> None:
    assert with_table(TEXT) == TEXT, f"run {WRITE}"


async def test_the_page_has_every_route_and_no_other(document: Json) -> None:
    listed = list(headed())

    assert sorted(listed) == sorted(routes_of(document))


def test_each_route_has_an_example() -> None:
    sections = re.split(r"^### (?=[A-Z]+ /)", TEXT, flags=re.MULTILINE)[1:]

    for section in sections:
        assert "```sh\ncurl " in section, section.splitlines()[0]


async def test_examples_are_what_the_routes_take(document: Json) -> None:
    routes = routes_of(document)

    for command in map(read, COMMANDS):
        operation = routes[command.route]
        if command.body is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            jsonschema_rs.validate({**document, **schema}, command.body)


def test_refusals_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", TEXT, re.MULTILINE)
    told = {(int(status), text) for status, cell in rows for text in re.findall("`(.+?)`", cell)}
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    refusals = [kind for kind in kinds if issubclass(kind, errors.ServiceError)]
    known = {(kind.status, kind.detail) for kind in refusals if hasattr(kind, "detail")}

    assert told - known == {(404, "Not found"), (405, "Method not allowed")}
