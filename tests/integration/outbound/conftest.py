"""Certificates of the raw servers, and transports that trust them."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from shared.outbound.transport import Transport
from tests.simulators.certificates import Certificates, write_certificates

CreateTransport = Callable[..., Transport]


@pytest.fixture(autouse=True)
def no_callback_fails_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The event loop only logs what a callback raises, and all of libcurl's driver is callbacks."""
    yield
    records = caplog.get_records("call")
    assert [one for one in records if (one.name, one.levelno) == ("asyncio", logging.ERROR)] == []


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def create(certificates: Certificates) -> AsyncIterator[CreateTransport]:
    made: list[Transport] = []

    def _create(**options: Any) -> Transport:
        made.append(Transport(**{"ca_file": str(certificates.ca_file)} | options))
        return made[-1]

    yield _create
    for transport in made:
        await transport.aclose()


@pytest.fixture
async def transport(create: CreateTransport) -> Transport:
    return create()
