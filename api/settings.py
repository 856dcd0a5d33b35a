"""The API's settings."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.settings import CommonSettings, Positive

Algorithm = Literal["RS256", "ES256", "EdDSA", "HS256"]
BODY_BUDGET_BYTES = 134_217_728
BODY_BUDGET_BYTES_MIN = 41_943_040  # the largest body that any route takes
BODY_TIMEOUT_SECONDS = 30
FOREIGN_PREFIXES = ("WORKER_", "LOCAL_")  # settings of other programs
Role = Literal["user", "developer", "admin", "tenant_admin", "platform_admin"]


class ServiceMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an issuer marks service tokens: the claim and the value it must have."""

    claim: str = "token_type"
    value: str = "service"


class TrustedIssuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An issuer whose tokens are accepted, and how far it is trusted.

    Exactly one source of keys: `jwks_url`, `public_keys` (PEM) or `shared_secret` (HS256 only).
    `tenants`: the tenants whose apps it may speak for; `*` is all, apps without tenant included.
    """

    issuer: str
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256", "EdDSA")
    audience: str | None = None
    jwks_url: str | None = None
    public_keys: tuple[str, ...] = ()
    shared_secret: str | None = None
    tenants: tuple[str, ...] = ("*",)
    max_role: Role = "admin"
    service: ServiceMapping = ServiceMapping()
    roles_claim: str = "roles"
    scope_claim: str = "scope"
    tenant_claim: str = "tenant_id"

    def __post_init__(self) -> None:
        sources = [self.jwks_url, self.public_keys, self.shared_secret]
        if sum(map(bool, sources)) != 1:
            raise ValueError("an issuer needs one of jwks_url, public_keys, shared_secret")
        if ("HS256" in self.algorithms) != (self.shared_secret is not None):
            raise ValueError("HS256 goes with shared_secret, and only with it")
        if self.max_role == "platform_admin" and "*" not in self.tenants:
            raise ValueError("a platform admin speaks for all tenants: tenants must hold *")


class ApiSettings(CommonSettings, frozen=True, kw_only=True):
    """What the API reads besides the common settings."""

    api_host: Annotated[str, Meta(description="address to listen on")] = "0.0.0.0"
    api_port: Annotated[int, Meta(ge=1, le=65535, description="port to listen on")] = 8080
    api_issuers: Annotated[
        tuple[TrustedIssuer, ...],
        Meta(description="JSON list of trusted token issuers (docs/security.md)"),
    ] = ()
    issuer_enabled: Annotated[
        bool, Meta(description="serve the built-in issuer: `/auth/token` and its JWKS")
    ] = False
    issuer_url: Annotated[str, Meta(description="`iss` of the built-in issuer's tokens")] = (
        "https://fanfare.invalid"
    )

    api_trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="addresses whose X-Forwarded-For is believed")
    ] = ()
    api_drain_seconds: Annotated[
        Positive, Meta(description="how long SIGTERM waits for requests in flight")
    ] = 30
    api_outbox_max: Annotated[
        int,
        Meta(ge=1, description="unpublished deliveries above which sends are refused"),
    ] = 100_000
    api_body_budget_bytes: Annotated[
        int,
        Meta(
            ge=BODY_BUDGET_BYTES_MIN,
            description="what request bodies over 1 MiB may hold together, in each process",
        ),
    ] = BODY_BUDGET_BYTES
    api_body_timeout_seconds: Annotated[
        Positive, Meta(description="how long a request body may take to arrive")
    ] = BODY_TIMEOUT_SECONDS
    api_webpush_subject: Annotated[
        str, Meta(description="VAPID contact of apps that set none: `mailto:` or https")
    ] = "mailto:push@fanfare.invalid"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.api_issuers and not self.issuer_enabled:
            raise ValueError("no one can get in: set api_issuers or issuer_enabled")
        urls = [issuer.jwks_url for issuer in self.api_issuers if issuer.jwks_url]
        if not self.is_local and not all(url.startswith("https://") for url in urls):
            raise ValueError("a jwks_url is https, except in local mode")
        names = [issuer.issuer for issuer in self.api_issuers]
        if self.issuer_enabled:
            names.append(self.issuer_url)
        if len(names) != len(set(names)):
            raise ValueError("an issuer is named twice")
