"""The example encryptors that app teams copy, as processes against the running system."""

import ast
import json
import os
import shutil
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.pushy import call
from tests.e2e.tenant import Tenant
from tests.e2e.test_examples import EXAMPLES, Settings, run
from tests.node import node

LINES_MAX = 45
FAILED = EXAMPLES.parents[1] / ".venv/.no-jose"  # what npm said, where setup could not install it


@pytest.fixture(params=["encrypt.py", "encrypt.mjs"])
def command(request: pytest.FixtureRequest) -> list[str]:
    file = EXAMPLES / request.param
    if file.suffix == ".py":
        return [sys.executable, str(file)]
    require_jose()
    return [node(), "--no-warnings", str(file)]  # Node 18 still calls its fetch experimental


def require_jose() -> None:
    """The library, which `make setup` installs where it can."""
    if (EXAMPLES / "node_modules/jose/package.json").exists():
        return
    if FAILED.exists():
        pytest.skip(f"npm could not install jose: {FAILED.read_text()[:500]}")
    if shutil.which("npm") is None and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        pytest.skip("there is no jose, and setup cannot install it here (see its note)")
    pytest.fail("there is no jose: run `make setup`, which installs it")


@pytest.fixture
async def settings(tenant: Tenant) -> Settings:
    """What a team sets: a user of the app, and the token that Pushy gave to a phone."""
    return {
        "FANFARE_URL": f"{tenant.system.api_url}/",
        "FANFARE_USER_TOKEN": tenant.user(str(uuid4())),
        "FANFARE_PUSHY_TOKEN": await tenant.new_token("pushy"),
    }


async def test_an_example_registers_with_an_encrypted_body(
    tenant: Tenant, command: list[str], settings: Settings
) -> None:
    done = await run(command, settings)

    assert (done.code, done.err) == (0, "")
    expected = {"token": settings["FANFARE_PUSHY_TOKEN"], "platform": "ANDROID"}
    assert json.loads(done.out) == expected
    listed = await call(tenant, "GET", "/device-info", settings["FANFARE_USER_TOKEN"])
    assert listed.json()["data"] == [expected]


async def test_an_example_tells_why_it_was_refused(command: list[str], settings: Settings) -> None:
    no_token = await run(command, settings | {"FANFARE_USER_TOKEN": "no-token"})
    bad_device = await run(command, settings | {"FANFARE_PUSHY_TOKEN": "with space"})

    assert (no_token.code, no_token.out) == (bad_device.code, bad_device.out) == (1, "")
    assert no_token.err == "POST /sys/key-pair: 401 Invalid token\n"
    assert bad_device.err == "POST /device-info: 400 Validation failed\n"


@pytest.mark.parametrize("name", ["encrypt.py", "encrypt.mjs"])
def test_an_example_is_short(name: str) -> None:
    lines = (EXAMPLES / name).read_text().splitlines()

    assert len([line for line in lines if line.strip()]) < LINES_MAX


def test_the_python_example_is_python_3_9() -> None:
    ast.parse((EXAMPLES / "encrypt.py").read_text(), feature_version=(3, 9))


def test_the_lock_of_the_examples_names_no_place_and_few_libraries() -> None:
    lock = json.loads((EXAMPLES / "package-lock.json").read_text())
    wanted = json.loads((EXAMPLES / "package.json").read_text())["dependencies"]

    packages = {Path(name).name: row for name, row in lock["packages"].items() if name}
    assert {name: packages[name]["version"] for name in wanted} == wanted
    assert packages.keys() - wanted.keys() == {"base64", "fast-sha256"}  # of standardwebhooks
    assert all("resolved" not in row and row["integrity"] for row in packages.values())
