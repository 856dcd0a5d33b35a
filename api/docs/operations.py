"""One operation on the page: what it takes on the left, what to paste on the right."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from api.docs.curl import curl
from api.docs.html import Html, element, paragraphs, prose, table, together
from api.docs.samples import Samples
from api.docs.schemas import Field, Schemas, limits_of

ERRORS = "errors"
_ALWAYS = "X-Request-Id"  # told once, with the errors
_TELLING = ("detail", "message", "error")  # of a problem, an envelope, an OAuth error
Operation = Mapping[str, Any]


class OperationView:
    """Shows the operations of one document."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._samples = Samples(schemas)

    def article(self, title: str, method: str, path: str, operation: Operation) -> Html:
        heading = element("h3", element("a", title, href=f"#{anchor(operation)}"))
        words = element(
            "div",
            element("p", method_mark(method), element("span", path, class_="path")),
            paragraphs(operation.get("description", "")),
            *self._parameters(operation),
            *self._body(operation),
            *self._answers(operation),
        )
        code = element("div", *self._examples(method, path, operation))
        both = element("div", words, code, class_="two")
        return element("article", heading, both, id=anchor(operation))

    def _parameters(self, operation: Operation) -> Iterator[Html]:
        rows = [self._parameter(row) for row in operation.get("parameters", [])]
        if rows:
            yield element("h4", "Parameters")
            yield fields_table(rows)

    def _parameter(self, row: Mapping[str, Any]) -> Field:
        schema = self._schemas.resolved(row.get("schema", {}))
        return Field(
            name=f"{row['name']} ({row['in']})" if row["in"] != "path" else f"{{{row['name']}}}",
            is_required=row.get("required", False),
            type=self._schemas.type_of(schema),
            limits=limits_of(schema),
            about=row.get("description", ""),
        )

    def _body(self, operation: Operation) -> Iterator[Html]:
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield element("h4", "Body: ", element("code", media_type))
            yield from self._shape(content.get("schema", {}))

    def _shape(self, schema: Mapping[str, Any]) -> Iterator[Html]:
        """Each variant's description and fields, or its type where it has none."""
        for found in self._schemas.variants(schema):
            if about := found.get("description"):
                yield paragraphs(about)
            fields = list(self._schemas.fields(found))
            yield fields_table(fields) if fields else element("p", self._schemas.type_of(found))

    def _answers(self, operation: Operation) -> Iterator[Html]:
        yield element("h4", "Answers")
        for status, answer in operation["responses"].items():
            said = list(_said(answer)) if status[0] in "45" else []
            yield _refusal(status, answer, said) if said else self._answer(status, answer)

    def _answer(self, status: str, answer: Mapping[str, Any]) -> Html:
        shapes = [
            part
            for content in answer.get("content", {}).values()
            for part in self._shape(content.get("schema", {}))
        ]
        label = together([element("b", status), " ", prose(answer.get("description", ""))])
        headers = [name for name in answer.get("headers", {}) if name != _ALWAYS]
        named = [element("p", "Headers: ", ", ".join(headers))] if headers else []
        if not shapes and not named:
            return element("p", label, class_="answer")
        return element("details", element("summary", label), *named, *shapes)

    def _examples(self, method: str, path: str, operation: Operation) -> Iterator[Html]:
        yield element("pre", element("code", curl(method, path, operation, self._samples)))
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values() if status[0] == "2" else ():
                # What is told only once, such as a secret, is told at creation.
                sample = self._samples.of_content(content, whole=status == "201")
                if sample not in ({}, None):
                    text = json.dumps(sample, ensure_ascii=False, indent=2)
                    yield element("p", "Answer ", element("b", status), class_="soft")
                    yield element("pre", element("code", text))


def _said(answer: Mapping[str, Any]) -> Iterator[str]:
    """What the examples of a refusal say, by which a caller tells one from another."""
    for content in answer.get("content", {}).values():
        named = [example["value"] for example in content.get("examples", {}).values()]
        for value in named or [content.get("example")]:
            told = value if isinstance(value, Mapping) else {}
            yield from (told[key] for key in _TELLING if key in told)


def _refusal(status: str, answer: Mapping[str, Any], said: list[str]) -> Html:
    """A refusal's texts say more than its shape, which is always the same."""
    between = [part for text in said for part in (" ", element("code", text))]
    link = element("a", element("b", status), href=f"#{ERRORS}")
    return element("p", link, " ", prose(answer.get("description", "")), *between, class_="answer")


def anchor(operation: Operation) -> str:
    return str(operation["operationId"])


def method_mark(method: str) -> Html:
    return element("span", method.upper(), class_=f"method {method}")


def fields_table(fields: list[Field]) -> Html:
    return table(("field", "type", "limits and meaning"), (_row(field) for field in fields))


def _row(field: Field) -> Iterator[Html]:
    must = (" ", element("span", "required", class_="must")) if field.is_required else ()
    steps = (step for part in field.name.split(".") for step in (".", element("wbr"), part))
    yield together([element("code", *list(steps)[2:]), *must])
    yield element("code", field.type)
    yield prose("; ".join(part for part in (field.limits, field.about) if part))
