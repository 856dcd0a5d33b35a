"""Certificate authentication, against a server that takes no other."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.outbound.interface import (
    CertificateRefused,
    ClientCertificateRefused,
    TransportError,
)
from tests.integration.outbound.client_certificates import (
    Issuer,
    StrictServer,
    make_issuer,
    serve_strictly,
)
from tests.integration.outbound.conftest import CreateTransport
from tests.integration.outbound.test_traps import post
from tests.simulators.certificates import Certificates


@pytest.fixture
def issuer() -> Issuer:
    return make_issuer()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda one: one.name)
def server(
    request: pytest.FixtureRequest, certificates: Certificates, issuer: Issuer, tmp_path: Path
) -> Iterator[StrictServer]:
    with serve_strictly(certificates, issuer, tmp_path, request.param) as server:
        yield server


async def test_request_is_answered_with_the_certificate_of_the_issuer(
    create: CreateTransport, server: StrictServer, issuer: Issuer
) -> None:
    transport = create(client_certificate=issuer.issue())

    responses = [await post(transport, server.url) for _ in range(2)]

    assert [one.status for one in responses] == [200, 200]
    assert ["Push client" in one for one in server.subjects] == [True, True]


@pytest.mark.parametrize("which", ["another_issuer", "expired"])
async def test_request_fails_when_the_server_refuses_the_certificate(
    create: CreateTransport, server: StrictServer, issuer: Issuer, which: str
) -> None:
    certificate = make_issuer().issue() if which == "another_issuer" else issuer.issue(days=-1)

    with pytest.raises(TransportError) as failure:
        await post(create(client_certificate=certificate), server.url)

    # With TLS 1.3 the handshake is over for us before the server has seen the certificate: its
    # refusal may find the request already written, and its reset may take the reason with it.
    if server.version == ssl.TLSVersion.TLSv1_2:
        assert isinstance(failure.value, CertificateRefused)
        assert not failure.value.maybe_processed
    assert server.subjects == []


@pytest.mark.parametrize("which", ["no_pem", "no_key", "key_of_another"])
async def test_request_is_not_sent_with_an_unusable_certificate(
    create: CreateTransport, server: StrictServer, issuer: Issuer, which: str
) -> None:
    begin = "-----BEGIN PRIVATE KEY-----"
    chain, another = issuer.issue().partition(begin)[0], issuer.issue().partition(begin)[2]
    certificate = {"no_pem": "hello", "no_key": chain, "key_of_another": chain + begin + another}

    with pytest.raises(ClientCertificateRefused) as failure:
        await post(create(client_certificate=certificate[which]), server.url)

    assert "PRIVATE" not in str(failure.value)
    assert server.subjects == []


async def test_connections_are_not_shared_by_certificates(
    create: CreateTransport, server: StrictServer, issuer: Issuer
) -> None:
    await post(create(client_certificate=issuer.issue()), server.url)

    with pytest.raises(TransportError):
        await post(create(), server.url)

    assert len(server.subjects) == 1
