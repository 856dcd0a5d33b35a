"""Google's OAuth token endpoint for service accounts (RFC 7523)."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.simulators.exchange import SimRequest, SimResponse

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
}
LIFETIME_SECONDS_MAX = 3600
SKEW_SECONDS = 300
SHORT_LIVED = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


class ServiceAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public half of a service account's key."""

    client_email: str
    private_key_id: str
    public_key_pem: str


class OauthKnobs(msgspec.Struct, forbid_unknown_fields=True):
    """`status` set: every token request fails with it."""

    expires_in: int = 3599
    status: int | None = None
    error: str | None = None
    audiences: list[str] = []


@dataclass(frozen=True, slots=True)
class _Bearer:
    project_id: str
    expires_at: float


class OauthServer:
    """Exchanges assertions for bearers and knows which bearers are good."""

    def __init__(self) -> None:
        self.knobs = OauthKnobs()
        self.token_requests = 0
        self.tokens_issued = 0
        self._accounts: dict[str, tuple[str, ServiceAccount, rsa.RSAPublicKey]] = {}
        self._bearers: dict[str, _Bearer] = {}

    def put_account(self, project_id: str, account: ServiceAccount) -> None:
        """Register a project's account; raises ValueError for what is not an RSA public key."""
        public = load_pem_public_key(account.public_key_pem.encode())
        if not isinstance(public, rsa.RSAPublicKey):
            raise ValueError("not an RSA public key")  # noqa: TRY004 - the caller sent it
        self._accounts[account.client_email] = (project_id, account, public)

    def knows_project(self, project_id: str) -> bool:
        """Whether an account is registered for it."""
        return any(known == project_id for known, _, _ in self._accounts.values())

    def remove_project(self, project_id: str) -> bool:
        """Forget a project and its bearers; false when unknown."""
        emails = [email for email, (known, _, _) in self._accounts.items() if known == project_id]
        for email in emails:
            del self._accounts[email]
        self._bearers = {
            value: bearer
            for value, bearer in self._bearers.items()
            if bearer.project_id != project_id
        }
        return bool(emails)

    def revoke_all(self) -> int:
        """Make every bearer invalid; returns how many there were."""
        count = len(self._bearers)
        self._bearers.clear()
        return count

    def project_of(self, header: str | None) -> str | None:
        """The project whose live bearer this Authorization header holds."""
        scheme, _, value = (header or "").partition(" ")
        bearer = self._bearers.get(value.strip()) if scheme.lower() == "bearer" else None
        return bearer.project_id if bearer is not None and bearer.expires_at > time.time() else None

    def exchange(self, request: SimRequest) -> SimResponse:
        """Answer `POST /token`."""
        self.token_requests += 1
        if self.knobs.status is not None:
            return _error(
                self.knobs.status, self.knobs.error or "temporarily_unavailable", "scripted failure"
            )
        if request.method != "POST":
            return _error(405, "invalid_request", "POST only")
        if (
            request.headers.get("content-type", "").partition(";")[0].strip()
            != "application/x-www-form-urlencoded"
        ):
            return _error(
                400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded"
            )
        form = {
            name: values[-1]
            for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()
        }
        if form.get("grant_type") != GRANT:
            return _error(
                400, "unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}"
            )
        project_id = self._project_for(form.get("assertion", ""), request.headers.get("host"))
        return project_id if isinstance(project_id, SimResponse) else self._issue(project_id)

    def _issue(self, project_id: str) -> SimResponse:
        value = "ya29." + secrets.token_urlsafe(48)
        self._bearers[value] = _Bearer(project_id, time.time() + self.knobs.expires_in)
        self.tokens_issued += 1
        content = {
            "access_token": value,
            "expires_in": self.knobs.expires_in,
            "token_type": "Bearer",
        }
        return SimResponse(
            200,
            msgspec.json.encode(content),
            [("content-type", "application/json; charset=utf-8"), ("cache-control", "no-store")],
        )

    def _project_for(self, assertion: str, host: str | None) -> str | SimResponse:
        try:
            kid = jwt.get_unverified_header(assertion).get("kid")
            unchecked = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError:
            return _invalid_grant("Invalid JWT: Failed to parse.")
        found = self._accounts.get(str(unchecked.get("iss")))
        if found is None:
            return _invalid_grant("Invalid grant: account not found")
        project_id, account, public = found
        if kid != account.private_key_id:
            return _invalid_grant("Invalid JWT Signature.")
        try:
            none = {
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
            }
            claims = jwt.decode(assertion, public, algorithms=["RS256"], options=none)  # type: ignore[arg-type]
        except jwt.PyJWTError:
            return _invalid_grant("Invalid JWT Signature.")
        return self._claims_fault(claims, host) or project_id

    def _claims_fault(self, claims: dict[str, Any], host: str | None) -> SimResponse | None:
        issued_at, expires_at, now = claims.get("iat"), claims.get("exp"), time.time()
        if not isinstance(issued_at, int | float) or not isinstance(expires_at, int | float):
            return _invalid_grant(SHORT_LIVED)
        is_short = 0 < expires_at - issued_at <= LIFETIME_SECONDS_MAX
        if not is_short or expires_at <= now - SKEW_SECONDS or issued_at > now + SKEW_SECONDS:
            return _invalid_grant(SHORT_LIVED)
        if claims.get("aud") not in {
            GOOGLE_AUDIENCE,
            f"https://{host}/token",
            *self.knobs.audiences,
        }:
            return _invalid_grant(
                "Invalid JWT: Failed audience check. The right audience is " + GOOGLE_AUDIENCE
            )
        if not SCOPES & set(str(claims.get("scope", "")).split()):
            return _error(
                400, "invalid_scope", "Invalid OAuth scope or ID token audience provided."
            )
        return None


def _invalid_grant(description: str) -> SimResponse:
    return _error(400, "invalid_grant", description)


def _error(status: int, error: str, description: str) -> SimResponse:
    content = {"error": error, "error_description": description}
    return SimResponse(
        status, msgspec.json.encode(content), [("content-type", "application/json; charset=utf-8")]
    )
