"""One system for all end-to-end tests; every test has an app of its own."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.e2e.figures import Figures
from tests.e2e.system import System
from tests.e2e.tenant import Tenant
from tests.servers import Servers

FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of a parallel run hands its figures to the one that prints."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash[FIGURES].lines


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: object) -> None:
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    config.stash[FIGURES].lines += getattr(node, "workeroutput", {}).get("figures", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash[FIGURES].lines:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash[FIGURES]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("system"), servers)
    try:
        system.start()
        yield system
    finally:
        system.stop()


@pytest.fixture(scope="session")
async def api(system: System) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=system.api_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
async def simulators(system: System) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=system.admin_url, timeout=70, trust_env=False) as client:
        account = system.credentials.fcm["service_account"]
        await client.put(
            "/apns/keys",
            json={
                "team_id": system.credentials.apns["team_id"],
                "key_id": system.credentials.apns["key_id"],
                "public_key_pem": system.credentials.apns_public_key,
                "topics": [system.credentials.apns["topic"]],
            },
        )
        await client.put(
            f"/fcm/projects/{account['project_id']}",
            json={
                "client_email": account["client_email"],
                "private_key_id": account["private_key_id"],
                "public_key_pem": system.credentials.fcm_public_key,
            },
        )
        await client.put("/pushy/apps", json=system.credentials.pushy)
        yield client


@pytest.fixture
async def tenant(
    system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient
) -> AsyncIterator[Tenant]:
    """A new app that is enabled, with credentials and a webhook; its faults end with it."""
    tenant = Tenant(system, api, simulators)
    await tenant.set_up()
    yield tenant
    await tenant.end_scripts()
