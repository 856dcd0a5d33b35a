"""The API as one application: its connections, its issuers, and what all routes share."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar, Router

from api.auth.fetch import JwksFetcher
from api.auth.guards import Gate
from api.auth.issuer import BuiltInIssuer, trust_in_ourselves
from api.auth.jwks import JwksCache
from api.auth.keys import KeySource, StaticKeys, key_from_secret, keys_from_pem
from api.auth.tokens import Issuer, TokenVerifier
from api.bodies.bounds import Bounds, bounded
from api.bodies.requests import StrictRequest
from api.methods import before_route
from api.openapi.document import openapi_config
from api.parts import Parts
from api.problems import answer_error
from api.services.envelopes import EnvelopeKeys
from api.settings import ApiSettings, TrustedIssuer
from api.tracing import traced
from shared.clock import Clock, utc_now
from shared.crypto.keyring import Keyring
from shared.queue.publisher import Publisher
from shared.queue.topology import topology
from shared.storage.keys import KeyRepository
from shared.storage.mongo import open_database
from shared.storage.schema import create_indexes

BODY_BYTES_MAX = 65_536
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(settings: ApiSettings, clock: Clock = utc_now) -> Litestar:
    """The application; it connects when its lifespan starts."""
    database = open_database(settings)
    keyring = Keyring.from_settings(settings)
    publisher = Publisher(settings.amqp_url, name="fanfare api")
    fetcher = JwksFetcher(ca_file=settings.ca_file, allow_http=settings.is_local)
    keys = KeyRepository(database, keyring, clock)
    builtin = BuiltInIssuer(settings.issuer_url, keys, clock) if settings.issuer_enabled else None
    wanted = topology(settings.retry_levels_seconds, settings.hook_levels_seconds)
    parts = Parts(
        settings,
        database,
        keyring,
        publisher,
        envelopes=EnvelopeKeys(keys, clock),
        clock=clock,
    )
    gate = Gate(TokenVerifier(_issuers(settings, builtin, fetcher, clock), clock), parts.directory)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        try:
            await create_indexes(database)
            await keys.check_ring()
            if builtin is not None:
                await builtin.load()
            await publisher.open(wanted)
            yield
        finally:
            await publisher.aclose()
            await parts.verifier.aclose()
            await parts.pushy.aclose()
            await parts.webhooks.aclose()
            await fetcher.aclose()
            await database.aclose()

    bounds = Bounds(
        budget_bytes=settings.api_body_budget_bytes,
        timeout_seconds=settings.api_body_timeout_seconds,
    )
    return assemble(parts.routers(gate, builtin), lifespan, bounds)


def assemble(
    routers: Sequence[Router], lifespan: Lifespan | None = None, bounds: Bounds | None = None
) -> Litestar:
    """Routes with what all of them share: strict, bounded bodies, one error handler, trace ids."""
    app = Litestar(
        route_handlers=routers,
        lifespan=[lifespan] if lifespan else [],
        exception_handlers={Exception: answer_error},
        before_request=before_route,
        request_class=StrictRequest,
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=openapi_config(),
        logging_config=None,
    )
    app.asgi_handler = traced(bounded(app.asgi_handler, bounds or Bounds()))
    return app


def _issuers(
    settings: ApiSettings, builtin: BuiltInIssuer | None, fetcher: JwksFetcher, clock: Clock
) -> Sequence[Issuer]:
    issuers = [Issuer(t, _keys(t, fetcher, clock)) for t in settings.api_issuers]
    if builtin is not None:
        trust = trust_in_ourselves(settings.issuer_url, is_local=settings.is_local)
        issuers.append(Issuer(trust, builtin))
    return issuers


def _keys(trust: TrustedIssuer, fetcher: JwksFetcher, clock: Clock) -> KeySource:
    if trust.jwks_url is not None:
        return JwksCache(trust.jwks_url, fetcher.fetch, algorithms=trust.algorithms, clock=clock)
    if trust.shared_secret is not None:
        return StaticKeys([key_from_secret(trust.shared_secret)])
    return StaticKeys(keys_from_pem(trust.public_keys))
