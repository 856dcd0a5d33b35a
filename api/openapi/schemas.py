"""The shapes of bodies in the OpenAPI document, as msgspec makes them, which enforces them.

Litestar's own lose limits in unions, and do not say that unknown members are refused.
"""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, get_args, get_origin

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from api.schemas.enrolment_lines import Cut, Fault, Tally, Total, UserLine

Schema = dict[str, Any]
_REF = "#/components/schemas/{name}"
_NULL = {"type": "null"}
_NOT_NEWLINE = r"(?!\n)"  # Python's `$` needs it; in a schema `$` is the end, and Go has no (?!)
_SAYS_NOTHING: tuple[Any, ...] = (None, [], {})


class Shapes:
    """The shapes that a document has named so far, first those of a stream's lines."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}
        for kind in (UserLine, Tally, Fault, Total, Cut):
            self._schema(kind, is_answer=kind is not UserLine)

    def request(self, kind: Any) -> Schema:
        """The schema of a request's body."""
        return self._schema(kind, is_answer=False)

    def required(self, schema: Schema) -> list[str]:
        """The members that a body of that schema must have."""
        named = self.named.get(schema.get("$ref", "").rpartition("/")[2], schema)
        return list(named.get("required", []))

    def answers(self, handler: HTTPRouteHandler) -> dict[str, Schema]:
        """The schemas of a route's JSON answers, by status."""
        returned = handler.parsed_return_field.annotation
        if get_origin(returned) is Response:
            (returned,) = get_args(returned)
        kinds = {handler.status_code: returned} | {
            status: spec.data_container for status, spec in (handler.responses or {}).items()
        }
        return {str(status): self.answer(kind) for status, kind in kinds.items()}

    def answer(self, kind: Any) -> Schema:
        """The schema of an answer's body."""
        return self._schema(kind, is_answer=True)

    def _schema(self, kind: Any, *, is_answer: bool) -> Schema:
        (schema,), named = msgspec.json.schema_components([kind], ref_template=_REF)
        found = {
            name: tidy(_always_whole(shape) if is_answer else shape)
            for name, shape in named.items()
        }
        if get_origin(kind) is not None and "$ref" in schema:  # a generic's name is none
            schema = found.pop(schema["$ref"].rpartition("/")[2])
        for name, shape in found.items():
            if self.named.setdefault(name, shape) != shape:
                raise ValueError(f"two shapes are named {name}")
        return dict(tidy(schema))


def _always_whole(schema: Schema) -> Schema:
    """An answer's members are all there, those with a default too; only unset ones are not."""
    members = schema.get("properties", {})
    given = schema.get("required", [])
    return schema | {
        "properties": {name: _without(member, "default") for name, member in members.items()},
        "required": [name for name, m in members.items() if name in given or "default" in m],
    }


def _without(schema: Mapping[str, Any], key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}


def tidy(schema: Any) -> Any:
    """The same in fewer words: `type` lists for nullable values, no defaults that say nothing."""
    if isinstance(schema, list):
        return [tidy(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {key: _member(key, value) for key, value in schema.items()}
    if "default" in found and any(found["default"] == value for value in _SAYS_NOTHING):
        found = _without(found, "default")
    if found.get("required") == []:
        found = _without(found, "required")
    return _nullable(_with_type(found))


def _member(key: str, value: Any) -> Any:
    match key:
        case "description":
            return cleandoc(value)
        case "pattern":
            return value.replace(_NOT_NEWLINE, "")
        case "properties":
            return {name: tidy(member) for name, member in value.items()}
        case "examples" | "default" | "enum" | "const":
            return value
        case _:
            return tidy(value)


def _nullable(schema: Schema) -> Schema:
    """One kind of value or null, in one schema: what limits the one says nothing of the other."""
    choices = schema.get("anyOf", [])
    kinds = [choice for choice in choices if choice != _NULL]
    if len(kinds) != 1 or len(choices) == 1 or "type" not in kinds[0]:
        return schema
    kind = kinds[0] | {"type": [kinds[0]["type"], "null"]}
    if "enum" in kind:
        kind["enum"] = [*kind["enum"], None]
    return dict(kind | _without(schema, "anyOf"))


def _with_type(schema: Schema) -> Schema:
    """With the type of enumerated values, which msgspec leaves out."""
    if "enum" not in schema or "type" in schema:
        return schema
    kinds = {type(value) for value in schema["enum"]}
    kind = {str: "string", bool: "boolean"}.get(kinds.pop()) if len(kinds) == 1 else None
    return {"type": kind} | schema if kind else schema


def not_null(schema: Schema) -> Schema:
    """Litestar's schema of a parameter, which is left out rather than null."""
    given = [choice for choice in schema.get("oneOf", [{}]) if choice != _NULL]
    found: Schema = tidy(given[0] | _without(schema, "oneOf"))
    if "null" in found.get("type", ()):
        (kind,) = set(found["type"]) - {"null"}
        found |= {"type": kind, "enum": [value for value in found["enum"] if value is not None]}
    bounds = {key: int(value) for key, value in found.items() if isinstance(value, float)}
    return {**found, **bounds}
