"""The simulators in a process of their own, and adapters that speak to them over real sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import Clock, utc_now
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.providers.registry import Adapters, ProviderSettings, create_adapters
from tests.simulated import Running, running_simulators
from tests.unit.shared.providers.builders import (
    APNS_KEY,
    FCM_KEY,
    make_apns_credential,
    make_device,
    make_fcm_credential,
    make_notification,
    public_pem,
)

TIMEOUT_SECONDS = 3.0
APNS = make_apns_credential()
FCM = make_fcm_credential()
CreateAdapters = Callable[..., Adapters]


@pytest.fixture(scope="session")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_simulators(tmp_path_factory.mktemp("simulators")) as running:
        apns = {"team_id": APNS.team_id, "key_id": APNS.key_id, "topics": [APNS.topic]}
        await running.put("/apns/keys", apns | {"public_key_pem": public_pem(APNS_KEY)})
        account = {"client_email": FCM.client_email, "private_key_id": FCM.private_key_id}
        await running.put(
            f"/fcm/projects/{FCM.project_id}", account | {"public_key_pem": public_pem(FCM_KEY)}
        )
        yield running


@pytest.fixture
async def simulators(process: Running) -> AsyncIterator[Running]:
    """The process without anything of an earlier test, its knobs as they were."""
    await process.reset()
    knobs = {name: await process.get(f"/{name}/settings") for name in ("apns", "fcm")}
    yield process
    for name, values in knobs.items():
        await process.put(f"/{name}/settings", values)
    await process.put("/fcm/oauth", {})


@pytest.fixture
async def create(simulators: Running) -> AsyncIterator[CreateAdapters]:
    """Makes adapters as a process has them; a clock of their own if need be."""
    async with AsyncExitStack() as stack:

        def made(clock: Clock = utc_now) -> Adapters:
            settings = ProviderSettings(
                apns_production_url=simulators.urls["apns_url"],
                apns_sandbox_url=simulators.urls["apns_sandbox_url"],
                fcm_url=simulators.urls["fcm_url"],
                fcm_token_url=simulators.urls["fcm_token_url"],
                pushy_url=simulators.urls["pushy_url"],
                webpush_allowed_hosts=("localhost",),
                ca_file=str(simulators.certificates.ca_file),
                timeout_seconds=TIMEOUT_SECONDS,
                is_local=True,
            )
            adapters = create_adapters(settings, clock)
            stack.push_async_callback(adapters.aclose)
            return adapters

        yield made


@pytest.fixture
async def adapters(create: CreateAdapters) -> Adapters:
    return create()


@pytest.fixture
def script(simulators: Running) -> Callable[..., Awaitable[Any]]:
    """Adds a rule to a simulator."""

    async def added(simulator: str, action: dict[str, Any], **rule: Any) -> None:
        await simulators.post(f"/{simulator}/rules", {"action": action, **rule})

    return added


def a_notification(**changes: Any) -> Notification:
    """One of its own, that does not end."""
    now = utc_now()
    ends = now.replace(year=now.year + 1)
    return make_notification(**{"notification_id": uuid4(), "expires_at": ends} | changes)


def an_iphone(token: str = "ab" * 32, **changes: Any) -> Device:
    return make_device(
        **{"token": token, "device_id": uuid4(), "apns_environment": "production"} | changes
    )


def an_android(token: str = "fcm-token-1", **changes: Any) -> Device:
    fields = {"provider": "fcm", "platform": "android", "token": token, "device_id": uuid4()}
    return make_device(**fields | changes)
