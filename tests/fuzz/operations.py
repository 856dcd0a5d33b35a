"""The operations of the API, and whose token each of them is for."""

import base64
from typing import NamedTuple

from litestar.routes import HTTPRoute

from api.app import create_app
from api.openapi.document import document_of
from api.settings import ApiSettings

_KEY = base64.b64encode(b"k" * 32).decode()
# Guard (api/auth) -> who is let in.
CALLERS = {
    "Gate.sender": ("service",),
    "Gate.user": ("user",),
    "Gate.device_owner": ("user", "service"),
    "Gate.reader": ("service", "admin"),
    "Gate.lister": ("service", "admin"),
    "Gate.overseer": ("admin", "platform admin"),
    "Gate.admin": ("admin", "platform admin"),
    "Gate.administrator": ("admin", "platform admin"),
    "Gate.enroller": ("service", "admin"),
    "Gate.founder": ("platform admin",),
    "MobileGate.user": ("user",),
    "MobileGate.user_or_service": ("user", "service"),
    "MobileGate.operator": ("service", "admin"),
}


class Operation(NamedTuple):
    operation_id: str
    path: str
    method: str
    callers: tuple[str | None, ...]
    takes_anything: bool


def _operations() -> list[Operation]:
    """All of the document, which an application makes without being started."""
    app = create_app(
        ApiSettings(
            mode="local",
            mongo_url="mongodb://127.0.0.1:1/",
            amqp_url="amqp://127.0.0.1:1/",
            encryption_keys=(f"k1:{_KEY}",),
            hash_key=_KEY,
            issuer_enabled=True,
        )
    )
    callers = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                guards = [guard.__qualname__ for guard in handler.resolve_guards()]
                key = (handler.operation_id or handler.handler_name, method.lower())
                callers[key] = tuple(who for guard in guards for who in CALLERS[guard]) or (None,)
    callers["register_device", "post"] = ("new user",)
    return [
        Operation(
            operation_id=spec["operationId"],
            path=path,
            method=method,
            callers=callers[spec["operationId"], method],
            takes_anything=bool(spec.get("parameters") or "requestBody" in spec),
        )
        for path, item in document_of(app)["paths"].items()
        for method, spec in item.items()
    ]


OPERATIONS = _operations()
