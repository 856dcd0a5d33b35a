"""Every limit in the OpenAPI document is one that msgspec enforces, and the other way round."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import api.app  # noqa: F401 every schema module is loaded with it
from api.openapi.schemas import Shapes
from api.schemas.apps import AppAnswer, SecretAnswer
from api.schemas.base import Body
from api.schemas.config import ConfigAnswer
from api.schemas.credentials import CredentialAnswer
from api.schemas.devices import DevicesAnswer
from api.schemas.enrolment_lines import Cut, Fault, Tally, Total, UserLine
from api.schemas.notifications import NotificationAnswer, NotificationsAnswer
from api.schemas.previews import PreviewAnswer
from api.schemas.sends import SendBody

Schema = Mapping[str, Any]
LIMITS = {
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "format",
    "enum",
}


def bodies(base: type[msgspec.Struct] = Body) -> Iterator[type[msgspec.Struct]]:
    for kind in base.__subclasses__():
        yield kind
        yield from bodies(kind)


@pytest.fixture
def shapes() -> Shapes:
    return Shapes()


@pytest.mark.parametrize("kind", list(bodies()), ids=lambda kind: str(kind.__name__))
def test_a_request_has_the_limits_that_are_enforced(shapes: Shapes, kind: Any) -> None:
    schema = shapes.request(kind)

    assert list(differences(inspect.type_info(kind), schema, shapes.named)) == []


def test_a_forgotten_limit_would_be_seen(shapes: Shapes) -> None:
    schema = shapes.request(SendBody)
    del shapes.named["SendBody"]["properties"]["badge"]["minimum"]
    del shapes.named["LocKeyBody"]["additionalProperties"]

    found = list(differences(inspect.type_info(SendBody), schema, shapes.named))

    assert [line.partition(": ")[0] for line in found] == ["/badge", "/title_loc", "/body_loc"]


def differences(
    found: inspect.Type, schema: Schema, named: Mapping[str, Schema], at: str = ""
) -> Iterator[str]:
    """Where the type and the schema do not say the same."""
    schema = named[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    match found:
        case inspect.Metadata(type=inner):
            extra = found.extra_json_schema or {}
            if isinstance(inner, inspect.RawType):
                assert all(schema[key] == value for key, value in extra.items()), at
                return
            yield from differences(inner, schema, named, at)
        case inspect.UnionType():
            yield from of_union(found, schema, named, at)
        case inspect.StructType():
            yield from of_struct(found, schema, named, at)
        case _:
            expected = {key: value for key, value in limits_of(found).items() if value is not None}
            shown = {key: value for key, value in schema.items() if key in LIMITS}
            if expected != shown:
                yield f"{at}: {expected} but {shown}"
            yield from below(found, schema, named, at)


def of_union(
    found: inspect.UnionType, schema: Schema, named: Mapping[str, Schema], at: str
) -> Iterator[str]:
    takes_null = any(isinstance(kind, inspect.NoneType) for kind in found.types)
    kinds = [kind for kind in found.types if not isinstance(kind, inspect.NoneType)]
    choices = [c for c in schema.get("anyOf", [schema]) if c != {"type": "null"}]
    shows_null = {"type": "null"} in schema.get("anyOf", ()) or "null" in schema.get("type", ())
    if (takes_null, len(kinds)) != (shows_null, len(choices)):
        yield f"{at}: {found.types} but {schema}"
    for kind, choice in zip(kinds, choices, strict=False):
        given = {**choice, "enum": [v for v in choice["enum"] if v]} if "enum" in choice else choice
        yield from differences(kind, given, named, at)


def of_struct(
    found: inspect.StructType, schema: Schema, named: Mapping[str, Schema], at: str
) -> Iterator[str]:
    fields = {field.encode_name: field for field in found.fields}
    required = {name for name, field in fields.items() if field.required}
    is_closed = schema.get("additionalProperties") is False
    if found.forbid_unknown_fields is not is_closed:
        yield f"{at}: unknown members"
    if fields.keys() != schema["properties"].keys() or required != set(schema.get("required", ())):
        yield f"{at}: members"
    for name, field in fields.items():
        yield from differences(field.type, schema["properties"][name], named, f"{at}/{name}")
        if field.default is not msgspec.NODEFAULT and field.default not in {None, msgspec.UNSET}:
            assert schema["properties"][name]["default"] == field.default


def limits_of(found: inspect.Type) -> dict[str, Any]:
    match found:
        case inspect.StrType():
            pattern = found.pattern and found.pattern.replace(r"(?!\n)", "")
            return {
                "minLength": found.min_length,
                "maxLength": found.max_length,
                "pattern": pattern,
            }
        case inspect.IntType() | inspect.FloatType():
            return {
                "minimum": found.ge,
                "maximum": found.le,
                "exclusiveMinimum": found.gt,
                "exclusiveMaximum": found.lt,
                "multipleOf": found.multiple_of,
            }
        case inspect.ListType():
            return {"minItems": found.min_length, "maxItems": found.max_length}
        case inspect.DictType():
            return {"minProperties": found.min_length, "maxProperties": found.max_length}
        case inspect.LiteralType():
            return {"enum": sorted(found.values)}
        case inspect.UUIDType():
            return {"format": "uuid"}
        case inspect.DateTimeType(tz=True):
            return {"format": "date-time"}
        case inspect.BoolType():
            return {}
        case _:
            raise NotImplementedError(found)


def below(
    found: inspect.Type, schema: Schema, named: Mapping[str, Schema], at: str
) -> Iterator[str]:
    match found:
        case inspect.ListType(item_type=item):
            yield from differences(item, schema["items"], named, f"{at}[]")
        case inspect.DictType(key_type=key, value_type=value):
            yield from differences(key, schema["propertyNames"], named, f"{at} key")
            yield from differences(value, schema["additionalProperties"], named, f"{at}.*")
        case _:
            pass


@pytest.mark.parametrize(
    "kind",
    [
        AppAnswer,
        SecretAnswer,
        ConfigAnswer,
        CredentialAnswer,
        DevicesAnswer,
        NotificationAnswer,
        NotificationsAnswer,
        PreviewAnswer,
        Tally,
        Fault,
        Total,
        Cut,
    ],
    ids=lambda kind: kind.__name__,
)
def test_an_answer_is_said_to_have_what_it_always_has(shapes: Shapes, kind: Any) -> None:
    found = shapes.answer(kind)
    schema = shapes.named[found["$ref"].rpartition("/")[2]]

    always = {
        field.encode_name
        for field in msgspec.structs.fields(kind)
        if field.default is not msgspec.UNSET
    }
    assert set(schema["required"]) == always
    assert not any("default" in member for member in schema["properties"].values())


@pytest.mark.parametrize("kind", [AppAnswer, DevicesAnswer, NotificationAnswer, CredentialAnswer])
def test_instants_of_answers_have_their_format(shapes: Shapes, kind: Any) -> None:
    shapes.answer(kind)

    instants = [
        member
        for schema in shapes.named.values()
        for name, member in schema.get("properties", {}).items()
        if name.endswith("_at")
    ]
    assert instants
    assert {member["format"] for member in instants} == {"date-time"}


def test_lines_of_a_stream_are_named(shapes: Shapes) -> None:
    assert {kind.__name__ for kind in (UserLine, Tally, Fault, Total, Cut)} <= shapes.named.keys()
    assert shapes.named["UserLine"]["additionalProperties"] is False
