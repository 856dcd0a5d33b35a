"""The OpenAPI document at /openapi.json: what Litestar makes of the routes, made whole and true."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute

from api.openapi.fields import HEADERS, PARAMETERS, TAGS
from api.openapi.operations import OperationWriter
from api.openapi.schemas import Shapes
from api.openapi.shapes import OWN_SHAPES

_ABOUT = """\
Push notifications through APNs, FCM, Web Push and Pushy.

Every answer has an `X-Request-Id`; a caller's `traceparent` (W3C Trace Context) decides what it is.

A path that does not exist is answered 404 `Not found`; a method that a path does not have 405
`Method not allowed`, with `Allow`. A query parameter that is not known is ignored.
Integers are written without fraction and exponent.
"""


class ContractPlugin(JsonRenderPlugin):
    """Serves the document, made once; it needs nothing from another host."""

    _made: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._made is None:
            self._made = msgspec.json.encode(completed(openapi_schema, request.app))
        return self._made


def openapi_config() -> OpenAPIConfig:
    scheme = SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
    return OpenAPIConfig(
        title="Fanfare",
        version="1",
        description=_ABOUT,
        path="/openapi.json",
        render_plugins=[ContractPlugin(path="/", media_type=MediaType.JSON)],
        components=Components(security_schemes={"bearer": scheme}),
        security=[{"bearer": []}],
        tags=[Tag(name, description) for name, description in TAGS.items()],
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, *_: str(handler.handler_name),
    )


def document_of(app: Litestar) -> dict[str, Any]:
    """The document of a running application."""
    return completed(app.openapi_schema.to_schema(), app)


def completed(document: Mapping[str, Any], app: Litestar) -> dict[str, Any]:
    """With the shapes that msgspec enforces, every way to fail, examples, and who may call."""
    shapes = Shapes()
    paths = dict(_paths(document["paths"], app, OperationWriter(shapes)))
    _join(
        paths, "/push/devices/{app_id}", "/push/devices/{device_id}", as_path="/push/devices/{id}"
    )
    known = {
        **document["components"],
        "headers": HEADERS,
        "schemas": dict(sorted((shapes.named | OWN_SHAPES).items())),
    }
    whole: dict[str, Any] = msgspec.to_builtins({**document, "paths": paths, "components": known})
    return whole


def _paths(
    items: Mapping[str, Any], app: Litestar, writer: OperationWriter
) -> Iterator[tuple[str, dict[str, Any]]]:
    routes = {route.path_format: route for route in app.routes if isinstance(route, HTTPRoute)}
    for path, item in items.items():
        handlers = {
            method.lower(): row[0] for method, row in routes[path].route_handler_map.items()
        }
        yield path, {m: writer.completed(handlers[m], path, op) for m, op in item.items()}


def _join(paths: dict[str, Any], *alike: str, as_path: str) -> None:
    """Templates that differ in names only are the same path to OpenAPI."""
    joined: dict[str, Any] = {}
    for path in alike:
        joined |= paths.pop(path, {})
    for operation in joined.values():
        for row in operation["parameters"]:
            if row["in"] == "path":
                row |= {"name": "id", "description": PARAMETERS["id"]}
    if joined:
        paths[as_path] = joined
