"""The whole page: contents, how to begin, errors, then every operation by its tag."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from api.docs.html import Html, element, paragraphs, prose, together
from api.docs.operations import (
    ERRORS,
    Operation,
    OperationView,
    anchor,
    fields_table,
    method_mark,
)
from api.docs.schemas import Schemas
from api.docs.style import STYLE

_ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path d='M2 6v4l9 4V2zM12 5v6' fill='none' stroke='%231756c4' stroke-width='2'/></svg>"
)
_START = "start"
_TOKEN_PATH = "/auth/token"  # noqa: S105 a path
_TOKENS = (
    ("service", "your back end: sends, bulk enrolment, status; its scopes say what"),
    ("user", "the app on a device: registers and unregisters the device of its user"),
    ("admin", "people who run the app: configuration, credentials, device lists"),
)

_ADDRESS = "In the examples `$API` is the address of this server."
_ERRORS = """
Errors are `application/problem+json` (RFC 9457); those under `/api/v1` come in that API's envelope,
with the text as `message`. Quote
`trace_id` (also in the header `X-Request-Id`) when you report one.

After 429 and 503 wait as long as `Retry-After` says, then repeat the call.
"""


class Entry(NamedTuple):
    title: str
    method: str
    path: str
    operation: Operation


class Page(NamedTuple):
    """The page's bytes, and the policy under which a browser may show it."""

    content: bytes
    policy: str
    etag: str


def make_page(document: Mapping[str, Any]) -> Page:
    """The page of an OpenAPI document; it loads nothing and runs nothing."""
    content = f"<!doctype html>\n{_html(document)}\n".encode()
    digest = hashlib.sha256(STYLE.encode()).digest()
    policy = (
        f"default-src 'none'; style-src 'sha256-{base64.b64encode(digest).decode()}'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(content, policy, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _html(document: Mapping[str, Any]) -> Html:
    title = f"{document['info']['title']} API"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("link", rel="icon", href=_ICON),
        element("style", Html(STYLE)),
    )
    tags = _by_tag(document)
    body = element("body", _contents(tags), element("main", *_main(title, document, tags)))
    return element("html", head, body, lang="en")


def _by_tag(document: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """The operations of each tag, in the document's order of tags."""
    tags: dict[str, list[Entry]] = {tag["name"]: [] for tag in document.get("tags", [])}
    rows = [(path, *row) for path, item in document["paths"].items() for row in item.items()]
    alike = defaultdict(list)
    for path, _, operation in rows:
        alike[operation["summary"]].append(path)
    for path, method, operation in rows:
        title = _title(operation["summary"], path, alike[operation["summary"]])
        tag = operation.get("tags", ["other"])[0]
        tags.setdefault(tag, []).append(Entry(title, method, path, operation))
    return {tag: entries for tag, entries in tags.items() if entries}


def _title(summary: str, path: str, alike: list[str]) -> str:
    """The summary; where several paths have the same, with what only this path has."""
    shared = set.intersection(*(set(other.split("/")) for other in alike))
    own = [step for step in path.split("/") if step not in shared]
    return f"{summary}: {' '.join(own)}" if own else summary


def _contents(tags: Mapping[str, list[Entry]]) -> Html:
    fixed = [
        element("li", element("a", title, href=f"#{name}"))
        for name, title in ((_START, "Start"), (ERRORS, "Errors"))
    ]
    listed = [
        element("li", element("a", tag, href=f"#tag-{tag}"), element("ul", *map(_line, entries)))
        for tag, entries in tags.items()
    ]
    return element("nav", element("ul", *fixed, *listed), aria_label="Contents")


def _line(entry: Entry) -> Html:
    target = f"#{anchor(entry.operation)}"
    return element("li", element("a", method_mark(entry.method), entry.title, href=target))


def _main(
    title: str, document: Mapping[str, Any], tags: Mapping[str, list[Entry]]
) -> Iterator[Html]:
    schemas = Schemas(document)
    view = OperationView(schemas)
    yield element("h1", title)
    yield paragraphs(document["info"].get("description", ""))
    yield _start(has_issuer=_TOKEN_PATH in document["paths"])
    yield _errors(schemas, document)
    about = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    for tag, entries in tags.items():
        yield element("h2", tag.capitalize(), id=f"tag-{tag}")
        yield paragraphs(about.get(tag, ""))
        yield together(view.article(*entry) for entry in entries)


def _start(*, has_issuer: bool) -> Html:
    kinds = (element("li", element("b", kind), f": {meaning}") for kind, meaning in _TOKENS)
    also = f", service tokens also from `POST {_TOKEN_PATH}`" if has_issuer else ""
    link = element("a", "openapi.json", href="/openapi.json")
    parts = [
        element("h2", "Start", id=_START),
        element("p", prose(_ADDRESS), " The same for programs: ", link, "."),
        element("p", prose("Calls carry `Authorization: Bearer $TOKEN`, a JWT of one kind:")),
        element("ul", *kinds),
        element("p", prose(f"Tokens come from the issuers that the operator trusts{also}.")),
    ]
    return together(parts)


def _errors(schemas: Schemas, document: Mapping[str, Any]) -> Html:
    problem = document["components"]["schemas"]["Problem"]
    heading = element("h2", "Errors", id=ERRORS)
    return together([heading, paragraphs(_ERRORS), fields_table(list(schemas.fields(problem)))])
