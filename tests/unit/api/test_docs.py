"""The documentation page's parts: escaping, words for schemas, examples, commands."""

import shlex
from typing import Any

import pytest

from api.docs.curl import curl
from api.docs.html import Html, element, paragraphs, prose
from api.docs.page import make_page
from api.docs.samples import Samples
from api.docs.schemas import Schemas, limits_of

HOSTILE = "</style><script>alert(1)</script>\"' `<b>`"


def schemas(**named: Any) -> Schemas:
    return Schemas({"components": {"schemas": named}})


def a_document(**operation: Any) -> dict[str, Any]:
    known = {"operationId": "op", "summary": "Do it", "responses": {"200": {"description": "OK"}}}
    return {
        "info": {"title": "T"},
        "paths": {"/x/{id}": {"post": known | operation}},
        "components": {"schemas": {"Problem": {"type": "object", "properties": {}}}},
    }


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", "<b>", Html("<i>&amp;</i>"), title='"<') == (
        '<p title="&quot;&lt;">&lt;b&gt;<i>&amp;</i></p>'
    )


def test_backticks_are_code_and_blank_lines_are_paragraphs() -> None:
    assert prose("a `<x>` b") == "a <code>&lt;x&gt;</code> b"
    assert paragraphs("one\ntwo\n\nthree") == "<p>one two</p><p>three</p>"


@pytest.mark.parametrize("place", ["summary", "description", "operationId"])
def test_a_page_escapes_what_the_document_says(place: str) -> None:
    page = make_page(a_document(**{place: HOSTILE}))

    assert b"<script" not in page.content
    assert b"<b>alert" not in page.content
    assert page.content.count(b"</style>") == 1


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, ""),
        ({"minLength": 1, "maxLength": 4096}, "1 to 4,096 characters"),
        ({"maxItems": 500}, "up to 500 entries"),
        ({"minimum": 0.0}, "at least 0"),
        ({"minimum": 0, "maximum": 2_419_200.0, "default": 5}, "0 to 2,419,200, default `5`"),
        ({"pattern": r"^a$(?!\n)"}, "`^a$`"),
    ],
)
def test_limits_are_words(schema: dict[str, Any], expected: str) -> None:
    assert limits_of(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"enum": ["a", None]}, '"a" | null'),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "integer | null"),
        ({"oneOf": [{"type": "string"}, {"type": "null"}], "format": "uuid"}, "uuid | null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/A"}}, "array of object"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of string"),
        ({}, "any"),
    ],
)
def test_types_are_words(schema: dict[str, Any], expected: str) -> None:
    assert schemas(A={"type": "object"}).type_of(schema) == expected


def test_fields_are_flat_and_required_ones_come_first() -> None:
    row = {"type": "object", "properties": {"x": {"type": "string"}}}
    outer = {
        "required": ["rows"],
        "properties": {
            "note": {"type": "string"},
            "rows": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
            "by_name": {"additionalProperties": {"$ref": "#/components/schemas/Row"}},
        },
    }

    found = [(f.name, f.is_required) for f in schemas(Row=row).fields(outer)]

    assert found == [
        ("rows", True),
        ("rows[].x", False),
        ("note", False),
        ("by_name", False),
        ("by_name.*.x", False),
    ]


def test_fields_and_examples_of_a_schema_that_holds_itself_end() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    known = schemas(Node=node)

    assert len(list(known.fields(node))) < 10
    assert Samples(known).of(node)["next"]["next"]


@pytest.mark.parametrize(
    ("schema", "name", "expected"),
    [
        ({"type": "string", "examples": ["x"]}, "title", "x"),
        ({"type": "string", "enum": ["a", "b"]}, "status", "a"),
        ({"type": "string", "enum": ["failed", "sent"]}, "status", "sent"),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "reason", None),
        ({"type": "integer", "minimum": 5}, "", 5),
        ({"type": "array", "items": {"type": "boolean"}}, "", [True]),
        ({"const": "ok"}, "status", "ok"),
    ],
)
def test_examples_are_the_schemas_own_or_fit_it(
    schema: dict[str, Any], name: str, expected: Any
) -> None:
    assert Samples(schemas()).of(schema, name) == expected


def test_an_example_of_a_request_has_what_it_must_have() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    }
    samples = Samples(schemas())

    assert samples.of_content({"schema": schema}, whole=False) == {"a": "string"}
    assert samples.of_content({"schema": schema, "example": {"b": 1}}, whole=False) == {"b": 1}
    named = {"one": {"value": {"c": 1}}}
    assert samples.of_content({"schema": schema, "examples": named}, whole=True) == {"c": 1}


def test_a_command_is_one_for_the_shell() -> None:
    operation = {
        "parameters": [
            {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "schema": {"type": "integer"}},
            {"name": "since", "in": "query", "required": True, "schema": {"const": "now"}},
        ],
        "requestBody": {"content": {"application/json": {"example": {"title": "It's"}}}},
    }

    words = shlex.split(curl("post", "/x/{app_id}", operation, Samples(schemas())))

    assert [word for word in words if word != "\n"] == [
        "curl",
        "-s",
        "$API/x/$APP_ID?since=now",
        "-H",
        "authorization: Bearer $TOKEN",
        "-H",
        "idempotency-key: $(uuidgen)",
        "-H",
        "content-type: application/json",
        "-d",
        '{\n  "title": "It\'s"\n}',
    ]


def test_a_form_takes_its_secrets_from_the_shell() -> None:
    form = {"example": {"grant_type": "client_credentials", "client_secret": "x"}}
    content = {"application/x-www-form-urlencoded": form}
    operation = {"security": [{}], "requestBody": {"content": content}}

    command = curl("post", "/auth/token", operation, Samples(schemas()))

    assert "Bearer" not in command
    assert '-d "client_secret=$CLIENT_SECRET"' in command


def test_operations_that_are_named_alike_are_told_apart() -> None:
    document = a_document()
    operation = document["paths"].pop("/x/{id}")["post"]
    for name in ("one", "two"):
        document["paths"][f"/x/{name}/verify"] = {"post": operation | {"operationId": name}}

    content = make_page(document).content

    assert b"Do it: one<" in content
    assert b"Do it: two<" in content


@pytest.mark.parametrize("member", ["detail", "message", "error"])
def test_a_refusal_shows_what_it_says(member: str) -> None:
    content = {"application/json": {"examples": {"one": {"value": {member: "Not now"}}}}}
    answers = {"503": {"description": "Service Unavailable", "content": content}}

    page = make_page(a_document(responses=answers))

    assert b"Service Unavailable <code>Not now</code>" in page.content
