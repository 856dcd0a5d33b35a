"""The built-in issuer's routes: RFC 6749 in its own form and error bodies, and its key set."""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec

from api.auth.issuer import BuiltInIssuer
from api.auth.principals import parse_id
from api.schemas.tokens import KeySetAnswer, TokenAnswer, TokenFault
from api.services.client_tokens import (
    LIFETIME,
    SCOPES,
    Blocked,
    ClientTokenService,
    Denied,
    Granted,
)

FORM_BYTES_MAX = 8_192
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_RESPONSES = {
    200: ResponseSpec(TokenAnswer, description="OK", generate_examples=False),
    400: ResponseSpec(TokenFault, description="not well-formed", generate_examples=False),
    401: ResponseSpec(TokenFault, description="no such client", generate_examples=False),
    429: ResponseSpec(TokenFault, description="too many failed tries", generate_examples=False),
}
FormRequest = Request[None, None, State]


class Grant(msgspec.Struct, frozen=True):
    """A token request that is well-formed; the credentials are still to be checked."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]


def token_routes(tokens: ClientTokenService, issuer: BuiltInIssuer) -> Router:
    @post(
        "/auth/token",
        status_code=200,
        request_class=Request,  # not JSON: the answers to a bad form are RFC 6749's
        request_max_body_size=FORM_BYTES_MAX,
        security=[{}],
        responses=_RESPONSES,
    )
    async def issue_token(request: FormRequest) -> Response[Any]:
        """OAuth 2.0 client credentials: a form body, or HTTP Basic for the client's secret."""
        basic = request.headers.get("authorization")
        grant = _parse(request.content_type[0], await request.body(), basic)
        if isinstance(grant, TokenFault):
            return _fault(grant, uses_basic=basic is not None)
        address = request.client.host if request.client else ""
        outcome = await tokens.grant(
            parse_id(grant.client_id), grant.client_secret, grant.scopes, address=address
        )
        return _answer(outcome, uses_basic=basic is not None)

    @get("/.well-known/jwks.json", security=[{}], summary="Key set")
    async def jwks() -> Response[KeySetAnswer]:
        """The keys that verify our tokens (RFC 7517)."""
        keys = msgspec.convert(issuer.jwks(), KeySetAnswer)
        return Response(keys, headers={"Cache-Control": "public, max-age=300"})

    return Router("/", route_handlers=[issue_token, jwks], tags=["issuer"])


def _parse(content_type: str, body: bytes, basic: str | None) -> Grant | TokenFault:
    if content_type.lower() != _FORM:
        return TokenFault("invalid_request", f"the body must be {_FORM}")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        return TokenFault("invalid_request", "the form cannot be read")
    form = dict(pairs)
    if len(form) != len(pairs) or "grant_type" not in form:
        return TokenFault("invalid_request", "grant_type is missing or a parameter is repeated")
    if form["grant_type"] != "client_credentials":
        return TokenFault("unsupported_grant_type", "only client_credentials")
    scopes = tuple(dict.fromkeys(form.get("scope", "").split()))
    if not set(scopes) <= set(SCOPES):
        return TokenFault("invalid_scope", f"scopes are {' and '.join(SCOPES)}")
    return _credentials(form, basic, scopes)


def _credentials(
    form: dict[str, str], basic: str | None, scopes: tuple[str, ...]
) -> Grant | TokenFault:
    if basic is None:
        if not form.get("client_id") or not form.get("client_secret"):
            return TokenFault("invalid_client", "client_id and client_secret are required")
        return Grant(form["client_id"], form["client_secret"], scopes)
    if "client_secret" in form:
        return TokenFault("invalid_request", "the client authenticates twice")
    pair = _basic(basic)
    if pair is None or form.get("client_id", pair[0]) != pair[0]:
        return TokenFault("invalid_client", "the Authorization header cannot be used")
    return Grant(*pair, scopes)


def _basic(header: str) -> tuple[str, str] | None:
    """Client id and secret from HTTP Basic, each form-encoded (RFC 6749 §2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    try:
        text = base64.b64decode(encoded.encode("ascii"), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    client_id, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        return None
    return unquote_plus(client_id), unquote_plus(secret)


def _answer(outcome: Granted | Denied | Blocked, *, uses_basic: bool) -> Response[Any]:
    match outcome:
        case Granted(access_token, scopes):
            seconds = int(LIFETIME.total_seconds())
            body = TokenAnswer(access_token, "bearer", seconds, " ".join(scopes))
            return Response(body, headers=_NO_STORE)
        case Denied():
            return _fault(
                TokenFault("invalid_client", "unknown client or wrong secret"), uses_basic
            )
        case Blocked(wait_seconds):
            headers = _NO_STORE | {"Retry-After": str(wait_seconds)}
            fault = TokenFault("invalid_client", "too many failed tries")
            return Response(fault, status_code=429, headers=headers)


def _fault(fault: TokenFault, uses_basic: bool) -> Response[TokenFault]:
    if fault.error != "invalid_client":
        return Response(fault, status_code=400, headers=_NO_STORE)
    challenge = {"WWW-Authenticate": 'Basic realm="fanfare"'} if uses_basic else {}
    return Response(fault, status_code=401, headers=_NO_STORE | challenge)
