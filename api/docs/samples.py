"""Example values: a schema's own where it has some, else one that looks real and is valid."""

from collections.abc import Iterator, Mapping
from typing import Any

from api.docs.schemas import Schema, Schemas

_DEPTH_MAX = 5
_BY_NAME: Mapping[str, Any] = {
    "name": "GymOps",
    "title": "Your shift starts in 30 min",
    "body": "Open GymOps to view details.",
    "data": {"route": "/schedule"},
    "push_token": "cGxhY2Vob2xkZXI6dG9rZW4",
    "webhook_url": "https://gymops.example/hooks/push",
    "daily_quota": 100_000,
    "subject": "mailto:ops@gymops.example",
    "team_id": "A1B2C3D4E5",
    "key_id": "F6G7H8J9K0",
    "topic": "example.gymops.app",
    "private_key": "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
    "project_id": "gymops-prod",
    "client_email": "push@gymops-prod.example",
    "language": "en",
    "timezone": "Europe/Berlin",
    "client_secret": "shown-only-once",
    "scope": "push:send",
    "token_type": "bearer",
    "platform": "android",
    "provider": "fcm",
    "status": "sent",
    "state": "sent",
    "provider_message_id": "projects/gymops-prod/messages/1",
}
_BY_FORMAT = {
    "uuid": "0195a2c4-7f3e-7c31-9d4e-5b6a7c8d9e0f",
    "date-time": "2026-03-19T08:00:00Z",
    "uri": "https://gymops.example/",
}
_BY_TYPE: Mapping[str, Any] = {"string": "string", "number": 1.5, "boolean": True, "null": None}


class Samples:
    """Makes examples for the schemas of one document."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def of_content(self, content: Mapping[str, Any], *, whole: bool) -> Any:
        """An example of a body; without `whole`, of what must be in it."""
        if "example" in content:
            return content["example"]
        for example in content.get("examples", {}).values():
            return example["value"]
        return self.of(content.get("schema", {}), whole=whole)

    def of(self, schema: Schema, name: str = "", *, whole: bool = True, depth: int = 0) -> Any:
        found = self._schemas.resolved(schema)
        variant = {**found, **self._schemas.variants(found)[0]}
        if name in _BY_NAME and _may_be(variant, _BY_NAME[name]):
            return _BY_NAME[name]
        for given in _given(variant):
            return given
        if self._schemas.takes_null(found):
            return None
        match variant.get("type"):
            case "object":
                return self._object(variant, whole=whole, depth=depth)
            case "array":
                return [self.of(variant.get("items", {}), whole=whole, depth=depth + 1)]
            case "integer":
                return int(variant.get("minimum", 1))
            case kind:
                known = _BY_TYPE.get(kind) if isinstance(kind, str) else None
                return _BY_FORMAT.get(variant.get("format", ""), known)

    def _object(self, schema: Schema, *, whole: bool, depth: int) -> dict[str, Any]:
        members = schema.get("properties", {})
        required = schema.get("required", ())
        takes_all = whole or not required
        return {
            name: self.of(member, name, whole=whole, depth=depth + 1)
            for name, member in members.items()
            if (takes_all or name in required) and depth < _DEPTH_MAX
        }


def _may_be(schema: Schema, value: Any) -> bool:
    """Whether a value that goes with a member's name goes with its schema too."""
    if not {"const", "example", "examples"}.isdisjoint(schema) or "format" in schema:
        return False
    return "enum" not in schema or value in schema["enum"]


def _given(schema: Schema) -> Iterator[Any]:
    """The values that the schema itself names."""
    yield from schema.get("examples", ())
    yield from (schema[key] for key in ("example", "const", "default") if key in schema)
    yield from schema.get("enum", ())
