"""Whether the process lives, and whether it can do its work."""

from typing import Any

from litestar import Response, Router, get

from api.services.health import HealthService


def health_routes(health: HealthService) -> Router:
    @get("/livez", security=[{}])
    async def livez() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @get("/readyz", security=[{}])
    async def readyz() -> Response[dict[str, Any]]:
        """200 while sends can be accepted: a broker outage alone is shown, but does not fail."""
        report = await health.report()
        return Response(report, status_code=200 if report["status"] == "ok" else 503)

    return Router("/", route_handlers=[livez, readyz], tags=["health"])
