"""The real simulators process, its certificates, and keys that it knows."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.simulators.certificates import Certificates, write_certificates

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Running:
    """The process's addresses, its CA, and a client of its admin API."""

    urls: dict[str, str]
    certificates: Certificates
    admin: httpx.AsyncClient

    async def put(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        return _json(await self.admin.put(path, json=content))

    async def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        return _json(await self.admin.post(path, json=content))

    async def get(self, path: str) -> dict[str, Any]:
        return _json(await self.admin.get(path))

    async def entries(self, simulator: str) -> list[dict[str, Any]]:
        return list((await self.get(f"/{simulator}/log"))["entries"])


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM texts."""

    private_pem: str
    public_pem: str


@pytest.fixture(scope="session")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("simulators")
    certificates = write_certificates(folder)
    ready_file = folder / "ready.json"
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulators", "--ready-file", str(ready_file)),
        *("--cert", str(certificates.cert_file), "--key", str(certificates.key_file)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert started.stdout is not None
    assert await asyncio.wait_for(started.stdout.readline(), 30)
    urls = json.loads(ready_file.read_text())
    async with httpx.AsyncClient(base_url=urls["admin_url"], timeout=30) as admin:
        yield Running(urls, certificates, admin)
    started.terminate()
    assert await asyncio.wait_for(started.wait(), 10) == 0


@pytest.fixture
async def simulators(process: Running) -> Running:
    """The process, emptied of log, rules, device states and latency."""
    assert (await process.admin.post("/reset")).status_code == 204
    return process


@pytest.fixture(scope="session")
def apns_key() -> KeyPair:
    return _pair(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="session")
def google_key() -> KeyPair:
    return _pair(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _pair(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> KeyPair:
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    public_format = serialization.PublicFormat.SubjectPublicKeyInfo
    return KeyPair(
        private.private_bytes(pem, serialization.PrivateFormat.PKCS8, none).decode(),
        private.public_key().public_bytes(pem, public_format).decode(),
    )


def _json(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    return dict(response.json()) if response.content else {}
