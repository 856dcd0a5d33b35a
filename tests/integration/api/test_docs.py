"""The page at /docs: whole, safe, and complete in itself."""

import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser
from typing import Any

import httpx
import jsonschema_rs
import pytest

from tests.integration.api.conftest import Api

LOADING = frozenset({"src", "href", "srcset", "poster", "data", "action", "formaction", "ping"})
ACTIVE = frozenset({"script", "iframe", "object", "embed", "form", "base", "img"})


class Reader(HTMLParser):
    """What a page holds, as a browser would take it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.blocks: list[str] = []
        self._is_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._is_code = tag == "code"
        if self._is_code:
            self.blocks.append("")
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in LOADING:
                self.links.add(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._is_code = self._is_code and tag != "code"

    def handle_data(self, data: str) -> None:
        if self._is_code:
            self.blocks[-1] += data


@pytest.fixture
async def answer(api: Api) -> httpx.Response:
    found = await api.http.get("/docs")
    assert found.status_code == 200
    return found


@pytest.fixture
async def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = (await api.http.get("/openapi.json")).json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(p, m, op) for p, item in document["paths"].items() for m, op in item.items()]


async def test_the_page_has_every_operation_once(
    answer: httpx.Response, document: dict[str, Any]
) -> None:
    page = Reader(answer.text)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(page.ids) == len(set(page.ids))
    for path, _, operation in operations(document):
        assert operation["operationId"] in page.ids
        assert f">{path}<" in answer.text


async def test_the_document_says_who_may_call(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        is_public = operation.get("security") == [{}]
        assert ("Caller: " in operation["description"]) is not is_public


async def test_the_page_needs_nothing_from_another_host(api: Api, answer: httpx.Response) -> None:
    page = Reader(answer.text)

    assert "url(" not in answer.text
    assert "@import" not in answer.text
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith("data:image/svg+xml,"):
            assert re.match(r"/[a-z]", link)
            assert (await api.http.get(link)).status_code == 200


async def test_the_page_runs_nothing(answer: httpx.Response) -> None:
    page = Reader(answer.text)

    assert page.tags.isdisjoint(ACTIVE)
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]


async def test_its_policy_lets_in_its_own_style_and_nothing_else(answer: httpx.Response) -> None:
    style = answer.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    pairs = (rule.partition(" ") for rule in answer.headers["content-security-policy"].split("; "))

    assert {name: value for name, _, value in pairs} == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "*"])
async def test_a_browser_that_has_the_page_gets_304(
    api: Api, answer: httpx.Response, known: str
) -> None:
    etag = answer.headers["etag"]

    again = await api.http.get("/docs", headers={"If-None-Match": known.format(etag)})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert again.headers["cache-control"] == answer.headers["cache-control"] == "no-cache"


async def test_a_browser_that_has_another_page_gets_this_one(
    api: Api, answer: httpx.Response
) -> None:
    again = await api.http.get("/docs", headers={"If-None-Match": '"another"'})

    assert (again.status_code, again.content) == (200, answer.content)


async def test_its_example_bodies_are_what_the_document_asks_for(
    answer: httpx.Response, document: dict[str, Any]
) -> None:
    commands = [shlex.split(b) for b in Reader(answer.text).blocks if b.startswith("curl ")]
    bodies = {_target(words): words[words.index("-d") + 1] for words in commands if "-d" in words}

    wanted = {
        (method, path): operation["requestBody"]["content"]["application/json"]["schema"]
        for path, method, operation in operations(document)
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert len(commands) == len(operations(document))
    for (method, path), schema in wanted.items():
        body = json.loads(bodies[method, _with_variables(path)])
        jsonschema_rs.validate({**document, **schema}, body)


def _target(words: list[str]) -> tuple[str, str]:
    """Method and path of a command."""
    method = words[words.index("-X") + 1].lower() if "-X" in words else "post"
    (address,) = [word for word in words if word.startswith("$API")]
    return method, address.removeprefix("$API")


def _with_variables(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: "$" + match[1].upper(), path)
