"""The OpenAPI document at /openapi.json: what Litestar makes of the routes, with our errors."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import MediaType, Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "trace_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "remaining": {"type": "integer", "description": "what is left of the daily quota"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_FAULT = {
    "type": "object",
    "description": "RFC 6749 §5.2",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
_TOKEN_REQUEST = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
        "scope": {"type": "string"},
    },
}
_METHODS = ("get", "put", "post", "patch", "delete")


class ContractPlugin(JsonRenderPlugin):
    """Serves the document; it needs nothing from another host."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        del request
        return msgspec.json.encode(completed(openapi_schema))


def openapi_config() -> OpenAPIConfig:
    scheme = SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
    return OpenAPIConfig(
        title="Fanfare",
        version="1",
        description="Push notifications through APNs, FCM, Web Push and Pushy.",
        path="/openapi.json",
        render_plugins=[ContractPlugin(path="/", media_type=MediaType.JSON)],
        components=Components(security_schemes={"bearer": scheme}),
        security=[{"bearer": []}],
    )


def completed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Our own error bodies instead of Litestar's, and the types it cannot see."""
    schemas = document["components"]["schemas"]
    for name in ("SendBody", "BulkBody"):
        schemas[name]["properties"]["data"] |= {"type": "object"}
    paths = {path: _path(path, item) for path, item in document["paths"].items()}
    _join(
        paths, "/push/devices/{app_id}", "/push/devices/{device_id}", as_path="/push/devices/{id}"
    )
    components = document["components"] | {
        "schemas": schemas | {"Problem": _PROBLEM, "TokenFault": _FAULT}
    }
    return {**document, "paths": paths, "components": components}


def _path(path: str, item: Mapping[str, Any]) -> dict[str, Any]:
    operations = {method: item[method] for method in _METHODS if method in item}
    return {**item, **{method: _operation(path, op) for method, op in operations.items()}}


def _join(paths: dict[str, Any], *alike: str, as_path: str) -> None:
    """Templates that differ in names only are the same path to OpenAPI."""
    joined: dict[str, Any] = {}
    for path in alike:
        joined |= paths.pop(path)
    for operation in joined.values():
        operation["parameters"] = [
            row | {"name": "id"} if row["in"] == "path" else row for row in operation["parameters"]
        ]
    paths[as_path] = joined


def _operation(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    answers = {code: answer for code, answer in operation["responses"].items() if code[0] == "2"}
    errors = {"4XX": _error("Problem"), "5XX": _error("Problem")}
    if path != "/auth/token":
        return {**operation, "responses": answers | errors}
    form = {"content": {"application/x-www-form-urlencoded": {"schema": _TOKEN_REQUEST}}}
    refused = {"4XX": _error("TokenFault", "application/json")}
    return {**operation, "requestBody": form, "responses": answers | errors | refused}


def _error(schema: str, media_type: str = "application/problem+json") -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": "error", "content": {media_type: {"schema": reference}}}
