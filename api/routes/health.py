"""Whether the process lives, and whether it can do its work."""

from litestar import Response, Router, get
from litestar.openapi.datastructures import ResponseSpec

from api.schemas.base import Ok
from api.schemas.health import HealthAnswer
from api.services.health import HealthService


def health_routes(health: HealthService) -> Router:
    @get("/livez", security=[{}], summary="Liveness")
    async def livez() -> Ok:
        """The process answers."""
        return Ok()

    @get(
        "/readyz",
        security=[{}],
        summary="Readiness",
        responses={
            503: ResponseSpec(HealthAnswer, description="not ready", generate_examples=False)
        },
    )
    async def readyz() -> Response[HealthAnswer]:
        """200 while sends can be accepted: a broker outage alone is shown, but does not fail."""
        report = HealthAnswer(**await health.report())
        return Response(report, status_code=200 if report.status == "ok" else 503)

    return Router("/", route_handlers=[livez, readyz], tags=["health"])
