"""Our own adapters against the simulators process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.clock import utc_now
from shared.providers.registry import Adapters, ProviderSettings, create_adapters
from tests.integration.simulators.conftest import Running


def settings(running: Running) -> ProviderSettings:
    """As a worker has them, in local mode."""
    urls = running.urls
    return ProviderSettings(
        apns_production_url=urls["apns_url"],
        apns_sandbox_url=urls["apns_sandbox_url"],
        fcm_url=urls["fcm_url"],
        fcm_token_url=urls["fcm_token_url"],
        pushy_url=urls["pushy_url"],
        webpush_allowed_hosts=(),
        ca_file=str(running.certificates.ca_file),
        is_local=True,
    )


@asynccontextmanager
async def own_adapters(running: Running) -> AsyncIterator[Adapters]:
    """Closed at the end."""
    created = create_adapters(settings(running), utc_now)
    try:
        yield created
    finally:
        await created.aclose()
