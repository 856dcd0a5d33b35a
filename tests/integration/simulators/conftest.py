"""The real simulators process, its certificates, and keys that it knows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.simulated import Running, running_simulators

__all__ = ["Running"]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM texts."""

    private_pem: str
    public_pem: str


@pytest.fixture(scope="session")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_simulators(tmp_path_factory.mktemp("simulators")) as running:
        yield running


@pytest.fixture
async def simulators(process: Running) -> Running:
    """The process, emptied of log, rules, device states and latency."""
    await process.reset()
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
