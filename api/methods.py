"""OPTIONS, answered with all methods of a path: Litestar's own answer names one handler's only."""

import re
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.routes import HTTPRoute

from api.bodies.requests import refuse_unclear_parameters

_PARAMETER = re.compile(r"\{[^}]*\}")


async def before_route(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Before each route: clear parameters, and the answer to OPTIONS."""
    refuse_unclear_parameters(request)
    if request.method != "OPTIONS":
        return None
    allowed = ", ".join(sorted(_methods(request)))
    return Response(None, status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})


def _methods(request: Request[Any, Any, Any]) -> set[str]:
    """Of all routes that differ from this one in the names of their parameters at most."""
    here = _shape(request.scope["path_template"])
    return {
        str(method)
        for route in request.app.routes
        if isinstance(route, HTTPRoute) and _shape(route.path_format) == here
        for method in route.methods
    }


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path)
