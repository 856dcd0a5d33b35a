"""The simulators in a process of their own, and one set-up app per provider to send with."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shared.clock import utc_now
from shared.domain.credentials import Credential
from shared.domain.devices import Device, Provider
from shared.providers.registry import Adapters, ProviderSettings, create_adapters
from tests.contract.belongings import Belongings
from tests.eventually import eventually
from tests.simulators.certificates import Certificates, write_certificates
from tests.unit.shared.providers.builders import (
    APNS_KEY,
    APNS_TOKEN,
    FCM_KEY,
    make_apns_credential,
    make_device,
    make_fcm_credential,
    make_pushy_credential,
    make_webpush_credential,
    public_pem,
)

START_SECONDS = 30.0
TIMEOUT_SECONDS = 0.8  # of the adapters under test


@dataclass(frozen=True)
class Simulators:
    urls: dict[str, str]
    certificates: Certificates
    admin: httpx.AsyncClient

    async def call(self, method: str, path: str, content: Any = None) -> Any:
        response = await self.admin.request(method, path, json=content)
        response.raise_for_status()
        return response.json() if response.content else None

    async def script(self, simulator: str, action: dict[str, Any], **rule: Any) -> None:
        await self.call("POST", f"/{simulator}/rules", {"action": action, **rule})

    async def clear_rules(self) -> None:
        for provider in SETUPS:
            await self.call("DELETE", f"/{provider}/rules")

    async def has_no_open_stream(self) -> bool:
        """But those of connections that nobody answers on, which end with them."""
        stats = [await self.call("GET", f"/{provider}/stats") for provider in SETUPS]
        return all(one["streams_open"] == 0 for one in stats)

    async def log(self, simulator: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.call("GET", f"/{simulator}/log"))["entries"]
        return entries


@dataclass(frozen=True)
class Target:
    """A device that works, with the credential for it."""

    provider: Provider
    device: Device
    credential: Credential
    device_name: str  # how the simulator calls it


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
async def simulators(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Simulators]:
    ready_file = tmp_path_factory.mktemp("simulators") / "ready.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.simulators", "--host", "127.0.0.1"),
        *("--cert", str(certificates.cert_file), "--key", str(certificates.key_file)),
        *("--ready-file", str(ready_file)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert b"ready" in line
        urls = _read_urls(ready_file)
        one = httpx.Limits(max_connections=1)  # so that descriptors can be counted
        async with httpx.AsyncClient(
            base_url=urls["admin_url"], trust_env=False, limits=one
        ) as admin:
            yield Simulators(urls, certificates, admin)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _read_urls(ready_file: Path) -> dict[str, str]:
    urls: dict[str, str] = json.loads(ready_file.read_text())
    return urls


@pytest.fixture
async def fresh(simulators: Simulators) -> Simulators:
    """No rule, device state or log of an earlier test."""
    await simulators.call("POST", "/reset")
    return simulators


@pytest.fixture
async def adapters(fresh: Simulators) -> AsyncIterator[Adapters]:
    """Four adapters that must leave nothing behind: no task, no descriptor, no open stream."""
    before = Belongings.now()
    created = create_adapters(provider_settings_of(fresh, TIMEOUT_SECONDS), utc_now)
    yield created
    await fresh.clear_rules()
    await eventually(fresh.has_no_open_stream, within_seconds=5, what="no open stream")
    await created.aclose()
    await eventually(before.are_all, within_seconds=5, what="no task, no descriptor")


def provider_settings_of(simulators: Simulators, timeout_seconds: float) -> ProviderSettings:
    return ProviderSettings(
        apns_production_url=simulators.urls["apns_url"],
        apns_sandbox_url=simulators.urls["apns_sandbox_url"],
        fcm_url=simulators.urls["fcm_url"],
        fcm_token_url=simulators.urls["fcm_token_url"],
        pushy_url=simulators.urls["pushy_url"],
        webpush_allowed_hosts=("localhost",),
        ca_file=str(simulators.certificates.ca_file),
        timeout_seconds=timeout_seconds,
        is_local=True,
    )


async def _apns(simulators: Simulators) -> Target:
    credential = make_apns_credential()
    key = {
        "team_id": credential.team_id,
        "key_id": credential.key_id,
        "public_key_pem": public_pem(APNS_KEY),
        "topics": [credential.topic],
    }
    await simulators.call("PUT", "/apns/keys", key)
    return Target("apns", make_device(apns_environment="production"), credential, APNS_TOKEN)


async def _fcm(simulators: Simulators) -> Target:
    credential = make_fcm_credential()
    account = {
        "client_email": credential.client_email,
        "private_key_id": credential.private_key_id,
        "public_key_pem": public_pem(FCM_KEY),
    }
    await simulators.call("PUT", f"/fcm/projects/{credential.project_id}", account)
    token = "fcm-token:APA91b"
    return Target(
        "fcm", make_device(provider="fcm", platform="android", token=token), credential, token
    )


async def _webpush(simulators: Simulators) -> Target:
    credential = make_webpush_credential()
    made = await simulators.call(
        "POST", "/webpush/subscriptions", {"application_server_key": credential.vapid_public_key}
    )
    token = json.dumps(made["subscription"])
    device = make_device(provider="webpush", platform="web", token=token)
    return Target("webpush", device, credential, made["id"])


async def _pushy(simulators: Simulators) -> Target:
    credential = make_pushy_credential()
    await simulators.call("PUT", "/pushy/apps", {"api_key": credential.api_key})
    device = make_device(provider="pushy", platform="android", token="pushy-token-1")
    return Target("pushy", device, credential, device.token)


SETUPS = {"apns": _apns, "fcm": _fcm, "webpush": _webpush, "pushy": _pushy}


@pytest.fixture(params=sorted(SETUPS))
async def target(request: pytest.FixtureRequest, fresh: Simulators) -> Target:
    return await SETUPS[request.param](fresh)


@pytest.fixture
def kill(fresh: Simulators) -> Callable[[Target], Awaitable[None]]:
    async def _kill(target: Target) -> None:
        path = f"/{target.provider}/devices/{quote(target.device_name, safe='')}"
        await fresh.call("PUT", path, {"state": "unregistered"})

    return _kill
