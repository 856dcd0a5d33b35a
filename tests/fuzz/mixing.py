"""Ids that exist, mixed into generated requests, so that they come further than a 404."""

from random import Random
from typing import Any, NamedTuple

import jsonschema_rs
from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation

from tests.fuzz.stage import Json
from tests.fuzz.world import World

_TYPED = ("application/json", "application/x-www-form-urlencoded")


class Dice(NamedTuple):
    """What is left to chance; `known` and `right` are shares of what exists, and of callers."""

    random: Random
    known: float = 0.85
    right: float = 0.75

    def takes_known(self) -> bool:
        return self.random.random() < self.known

    def takes_right_caller(self) -> bool:
        return self.random.random() < self.right


class Mixer:
    """Puts what exists into requests; what was made wrong on purpose stays wrong."""

    def __init__(self, document: Json) -> None:
        self._components = document["components"]
        self._validators: dict[int, jsonschema_rs.Draft202012Validator] = {}

    def mix(self, case: Case[Any], world: World, dice: Dice) -> None:
        spec = case.operation.definition.raw
        for location, values in (
            (ParameterLocation.PATH, case.path_parameters),
            (ParameterLocation.QUERY, case.query),
            (ParameterLocation.HEADER, case.headers),
        ):
            if not (case.meta and case.meta.is_negative_at(location)):
                for name in list(values or ()):
                    known = world.known(spec["operationId"], name, dice.random)
                    if known and dice.takes_known():
                        values[name] = dice.random.choice(known)
        if case.media_type in _TYPED:
            case.body = self.body(case.body, spec, case.media_type, world, dice)

    def body(self, value: Any, spec: Json, media_type: str, world: World, dice: Dice) -> Any:
        """A body with what exists in the place of what is valid there."""
        schema = spec["requestBody"]["content"][media_type]["schema"]
        return _Walk(self, spec["operationId"], world, dice).mixed(value, schema)

    def resolved(self, schema: Json) -> Json:
        """The schema itself, or the first of several."""
        while "$ref" in schema or "anyOf" in schema:
            name = schema.get("$ref", "").rpartition("/")[2]
            schema = self._components["schemas"][name] if name else schema["anyOf"][0]
        return schema

    def is_valid(self, value: Any, schema: Json) -> bool:
        if id(schema) not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[id(schema)] = jsonschema_rs.Draft202012Validator(
                whole, validate_formats=True
            )
        return self._validators[id(schema)].is_valid(value)


class _Walk:
    """Through one body and its schema."""

    def __init__(self, mixer: Mixer, operation: str, world: World, dice: Dice) -> None:
        self._mixer, self._operation = mixer, operation
        self._world, self._dice = world, dice

    def mixed(self, value: Any, schema: Json) -> Any:
        found = self._mixer.resolved(schema)
        match value:
            case dict() if "properties" in found:
                members = found["properties"]
                return {
                    name: self._member(name, member, members[name]) if name in members else member
                    for name, member in value.items()
                }
            case list() if "items" in found:
                return [self.mixed(item, found["items"]) for item in value]
            case float() if value.is_integer() and "integer" in found.get("type", ()):
                return int(value)  # JSON Schema knows no difference, the API does
            case _:
                return value

    def _member(self, name: str, value: Any, schema: Json) -> Any:
        known = self._world.known(self._operation, name, self._dice.random)
        if known and self._mixer.is_valid(value, schema) and self._dice.takes_known():
            return self._dice.random.choice(known)
        return self.mixed(value, schema)
