"""JSON schemas in words: the fields of a body in one flat list, each with its type and limits."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
_DEPTH_MAX = 4
_NO_NEWLINE = r"(?!\n)"  # Python's `$` needs it, a reader does not
_NULL = "null"


class Field(NamedTuple):
    """One member of a body; `name` is its path, e.g. `notifications[].title`."""

    name: str
    is_required: bool
    type: str
    limits: str
    about: str


class Schemas:
    """The schemas of a document, which refer to one another."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._named: Mapping[str, Schema] = document["components"]["schemas"]

    def resolved(self, schema: Schema) -> Schema:
        """The schema itself, where it only refers to one by name."""
        while "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._named[schema["$ref"].rpartition("/")[2]], **rest}
        return schema

    def variants(self, schema: Schema) -> list[Schema]:
        """What a value may be, without null."""
        found = self.resolved(schema)
        choices = found.get("oneOf") or found.get("anyOf")
        if not choices:
            return [found]
        given = [v for choice in choices for v in self.variants(choice)]
        return [variant for variant in given if variant.get("type") != _NULL]

    def takes_null(self, schema: Schema) -> bool:
        found = self.resolved(schema)
        choices = found.get("oneOf") or found.get("anyOf") or []
        return _NULL in found.get("type", ()) or any(map(self.takes_null, choices))

    def fields(self, schema: Schema, prefix: str = "", depth: int = 0) -> Iterator[Field]:
        """The members of an object, required ones first, and below each its own members."""
        required = schema.get("required", ())
        members = schema.get("properties", {}).items()
        for name, member in sorted(members, key=lambda pair: pair[0] not in required):
            path = f"{prefix}{name}"
            found = self.resolved(member)
            about = found.get("description", "")
            yield Field(path, name in required, self.type_of(found), limits_of(found), about)
            if depth < _DEPTH_MAX:
                yield from self._below(found, path, depth + 1)

    def type_of(self, schema: Schema) -> str:
        found = self.resolved(schema)
        if "const" in found:
            return json.dumps(found["const"])
        if "enum" in found:
            return " | ".join(json.dumps(value) for value in found["enum"])
        if choices := found.get("oneOf") or found.get("anyOf"):
            common = {"format": found["format"]} if "format" in found else {}
            names = dict.fromkeys(self.type_of({**common, **choice}) for choice in choices)
            return " | ".join(names)
        kinds = found.get("type", "any")
        listed = [kinds] if isinstance(kinds, str) else kinds
        return " | ".join(self._named_type(kind, found) for kind in listed)

    def _named_type(self, name: str, schema: Schema) -> str:
        if name == "array":
            return f"array of {self.type_of(schema.get('items', {}))}"
        if isinstance(values := schema.get("additionalProperties"), Mapping):
            return f"object of {self.type_of(values)}"
        return str(schema.get("format", name)) if name == "string" else name

    def _below(self, schema: Schema, path: str, depth: int) -> Iterator[Field]:
        for variant in self.variants(schema):
            if variant.get("type") == "array":
                yield from self._below(variant.get("items", {}), f"{path}[]", depth)
            elif isinstance(values := variant.get("additionalProperties"), Mapping):
                yield from self._below(values, f"{path}.*", depth)
            else:
                yield from self.fields(variant, f"{path}.", depth)


def limits_of(schema: Schema) -> str:
    """Bounds, pattern and default, for a person to read."""
    parts = [
        _span(schema, "minLength", "maxLength", " characters"),
        _span(schema, "minItems", "maxItems", " entries"),
        _span(schema, "minimum", "maximum", ""),
        f"`{schema['pattern'].replace(_NO_NEWLINE, '')}`" if "pattern" in schema else "",
        f"default `{json.dumps(schema['default'])}`" if "default" in schema else "",
    ]
    return ", ".join(part for part in parts if part)


def _span(schema: Schema, least: str, most: str, unit: str) -> str:
    low, high = (None if key not in schema else _number(schema[key]) for key in (least, most))
    if low is None:
        return "" if high is None else f"up to {high}{unit}"
    return f"at least {low}{unit}" if high is None else f"{low} to {high}{unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,}"
