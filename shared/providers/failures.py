"""What a failed request means for the attempt: the one place where network trouble gets a name."""

from shared.outbound.interface import (
    AddressDenied,
    CertificateRefused,
    ClientCertificateRefused,
    InvalidRequest,
    NotSent,
    Timeout,
    TlsFailure,
    TransportError,
)
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Unavailable,
)

_FINAL_STATUS_MIN = 200  # 1xx is no answer yet


def outcome_of(
    failure: TransportError, *, fixed_host: bool = True, body_decides: bool = False
) -> Outcome:
    """The outcome of an attempt whose answer did not come, or came in part.

    `fixed_host`: the URL is ours, not a stranger's. `body_decides`: a success needs its body read.
    """
    if failure.status >= _FINAL_STATUS_MIN:
        return _by_status(failure.status, body_decides=body_decides)
    if failure.maybe_processed:
        return Ambiguous("timeout" if isinstance(failure, Timeout) else "connection_lost")
    if isinstance(failure, NotSent):
        return _not_sent(failure, fixed_host=fixed_host)
    return _unsent("timeout_before_sending")


def _by_status(status: int, *, body_decides: bool) -> Outcome:
    """The status line came and the rest did not: the provider's decision is known."""
    if not 200 <= status < 300:  # noqa: PLR2004 - the success class of HTTP
        return Unavailable(f"incomplete_answer_{status}")
    return Ambiguous("incomplete_answer") if body_decides else Sent()


def _not_sent(failure: NotSent, *, fixed_host: bool) -> Outcome:
    match failure:
        case AddressDenied():
            return Rejected("address_denied")
        case InvalidRequest():
            return Rejected("invalid_request")
        case ClientCertificateRefused():
            return Misconfigured("client_certificate_refused")
        # A provider's certificate that does not verify is our trust store's fault (APNs changed
        # its root in 2025); a cut handshake is the network's.
        case CertificateRefused() if fixed_host:
            return Misconfigured("certificate_refused")
        case TlsFailure():
            return _unsent("tls_failure")
        case _:
            return _unsent("unreachable")


def _unsent(reason: str) -> Unavailable:
    return Unavailable(reason, scope="origin", never_sent=True)
