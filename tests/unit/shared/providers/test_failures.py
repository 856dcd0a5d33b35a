"""Every way in which a request can fail has one outcome."""

import pytest

from shared.outbound.interface import (
    AddressDenied,
    CertificateRefused,
    InvalidRequest,
    NotSent,
    Timeout,
    TlsFailure,
    TooLarge,
    TransportError,
    Unknown,
)
from shared.providers.failures import outcome_of
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Unavailable,
)


def unsent(reason: str) -> Unavailable:
    return Unavailable(reason, scope="origin", never_sent=True)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (NotSent("x"), unsent("unreachable")),
        (TlsFailure("x"), unsent("tls_failure")),
        (CertificateRefused("x"), Misconfigured("certificate_refused")),
        (AddressDenied("x"), Rejected("address_denied")),
        (InvalidRequest("x"), Rejected("invalid_request")),
        (Timeout("x", maybe_processed=False), unsent("timeout_before_sending")),
        (Timeout("x", maybe_processed=True), Ambiguous("timeout")),
        (Unknown("x", maybe_processed=True, status=103), Ambiguous("connection_lost")),
        (Unknown("x", maybe_processed=True), Ambiguous("connection_lost")),
        (Timeout("x", maybe_processed=True, status=200), Sent()),
        (Unknown("x", maybe_processed=True, status=201), Sent()),
        (TooLarge("x", status=200), Sent()),
        (Unknown("x", maybe_processed=True, status=410), Unavailable("incomplete_answer_410")),
        (TooLarge("x", status=503), Unavailable("incomplete_answer_503")),
    ],
)
def test_outcome_of_every_failure(failure: TransportError, expected: Outcome) -> None:
    assert outcome_of(failure) == expected


def test_a_strangers_certificate_is_no_fault_of_ours() -> None:
    assert outcome_of(CertificateRefused("x"), fixed_host=False) == unsent("tls_failure")


def test_an_incomplete_success_is_ambiguous_when_its_body_decides() -> None:
    failure = Unknown("x", maybe_processed=True, status=200)

    assert outcome_of(failure, body_decides=True) == Ambiguous("incomplete_answer")
