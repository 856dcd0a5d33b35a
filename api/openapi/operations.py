"""One operation of the OpenAPI document: its words, parameters, body, answers and refusals."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from litestar.handlers import HTTPRouteHandler

from api.openapi.errors import Traits, refusals
from api.openapi.examples import answer_example
from api.openapi.fields import (
    ANSWER_HEADERS,
    HEADER_PARAMETERS,
    PARAMETERS,
    header_references,
)
from api.openapi.refusals import refused_answers
from api.openapi.requests import request_example
from api.openapi.schemas import Schema, Shapes, not_null
from api.openapi.shapes import ANSWER_BODIES, BODIES, SEALED, reference

_JSON = "application/json"
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NOISE = ("deprecated", "allowEmptyValue", "allowReserved")
Operation = Mapping[str, Any]


class OperationWriter:
    """Writes the operations of one document, and names the shapes that they need."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def completed(
        self, handler: HTTPRouteHandler, path: str, operation: Operation
    ) -> dict[str, Any]:
        """What Litestar says of a handler, made whole."""
        parameters = list(_parameters(handler, operation.get("parameters", [])))
        body = self._body(handler)
        refused = refused_answers(path, refusals(self._traits(handler, parameters)))
        answers = self._answers(handler, path, operation)
        return (
            _without_noise(operation)
            | _words(handler, operation)
            | ({"parameters": parameters} if parameters else {})
            | ({"requestBody": body} if body else {})
            | {"responses": _joined(answers, refused)}
        )

    def _body(self, handler: HTTPRouteHandler) -> dict[str, Any] | None:
        content: dict[str, Any] = {}
        if plain := self._request(handler):
            sealed = {"anyOf": [plain, reference("SealedBody")]}
            schema = sealed if handler.handler_name in SEALED else plain
            content[_JSON] = {"schema": schema, "example": request_example(plain)}
        content |= BODIES.get(handler.handler_name, {})
        if not content:
            return None
        most = f"at most {handler.resolve_request_max_body_size():,} bytes"
        return {"required": True, "description": most, "content": content}

    def _request(self, handler: HTTPRouteHandler) -> Schema:
        field = handler.parsed_data_field
        return {} if field is None else self._shapes.request(field.annotation)

    def _traits(self, handler: HTTPRouteHandler, parameters: list[dict[str, Any]]) -> Traits:
        has_body = handler.parsed_data_field is not None
        return Traits(
            handler=handler.handler_name,
            guards=_guards(handler),
            required=tuple(self._shapes.required(self._request(handler))),
            parameters=tuple(row["name"] for row in parameters if row["in"] == "query"),
            bytes_max=handler.resolve_request_max_body_size() if has_body else None,
        )

    def _answers(
        self, handler: HTTPRouteHandler, path: str, operation: Operation
    ) -> dict[str, Any]:
        """What the route itself says."""
        name = handler.handler_name
        answers = {}
        for code, schema in self._shapes.answers(handler).items():
            response = operation["responses"][code]
            example = answer_example(name, code, path, schema)
            added = ANSWER_BODIES.get(f"{name} {code}", {})
            answers[code] = {
                "description": _phrase(code, response["description"]),
                "headers": header_references(ANSWER_HEADERS.get(f"{name} {code}", ())),
                "content": {_JSON: {"schema": schema, "example": example}, **added},
            }
        return answers


def _words(handler: HTTPRouteHandler, operation: Operation) -> dict[str, str]:
    """A summary in words, and who may call as the last paragraph of the description."""
    caller = " ".join(
        cleandoc(guard.__doc__).partition("\n")[0]
        for guard in handler.resolve_guards()
        if guard.__doc__
    )
    texts = [operation.get("description"), caller and f"Caller: {caller}"]
    summary = handler.summary or _WORD_START.sub(" ", operation["summary"]).capitalize()
    return {"summary": summary, "description": "\n\n".join(filter(None, texts))}


def _parameters(
    handler: HTTPRouteHandler, rows: list[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    for row in rows:
        schema = {key: value for key, value in row["schema"].items() if key != "description"}
        about = {"description": PARAMETERS[row["name"]]} if row["name"] in PARAMETERS else {}
        yield about | _without_noise(row) | {"schema": not_null(schema)}
    for name in (handler.handler_name, *(guard.partition(".")[0] for guard in _guards(handler))):
        yield from HEADER_PARAMETERS.get(name, ())


def _guards(handler: HTTPRouteHandler) -> tuple[str, ...]:
    return tuple(getattr(guard, "__qualname__", "") for guard in handler.resolve_guards())


def _joined(answers: dict[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
    """Both, where a status is in both: each has its own media type."""
    joined = refused | answers
    for code in answers.keys() & refused.keys():
        parts = {
            key: {**answers[code][key], **refused[code][key]} for key in ("headers", "content")
        }
        joined[code] = answers[code] | parts
    return dict(sorted(joined.items()))


def _phrase(code: str, description: str) -> str:
    """What a route says of its answer, else the status in words (not Litestar's sentence)."""
    status = HTTPStatus(int(code))
    return status.phrase if description == status.description else description


def _without_noise(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in _NOISE}
