"""The four adapters of one process, each with transports of its own, behind one `send`."""

from functools import partial

import msgspec

from shared.clock import Clock
from shared.domain.credentials import (
    ApnsCertificate,
    ApnsCredential,
    Credential,
    FcmCredential,
    PushyCredential,
    WebPushCredential,
)
from shared.domain.devices import Device, Provider
from shared.domain.notifications import Notification
from shared.outbound.rotation import RotatingTransport
from shared.outbound.transport import Transport
from shared.providers.apns import ApnsAdapter
from shared.providers.apns_pool import ApnsTransports
from shared.providers.fcm import FcmAdapter
from shared.providers.outcomes import Misconfigured, Outcome
from shared.providers.pushy import PushyAdapter
from shared.providers.pushy_api import PushyApi
from shared.providers.webpush import WebPushAdapter
from shared.settings import CommonSettings

PUSHY_TIMEOUT_SECONDS = 30.0  # a push to 100,000 tokens is megabytes


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the providers are; `ca_file` is PEM of whom to trust, None the usual ones."""

    apns_production_url: str
    apns_sandbox_url: str
    fcm_url: str
    fcm_token_url: str
    pushy_url: str
    webpush_allowed_hosts: tuple[str, ...]
    ca_file: str | None = None
    timeout_seconds: float = 15
    is_local: bool = False


def provider_settings(settings: CommonSettings) -> ProviderSettings:
    """Those of a process's settings that the adapters need."""
    return ProviderSettings(
        apns_production_url=settings.apns_production_url,
        apns_sandbox_url=settings.apns_sandbox_url,
        fcm_url=settings.fcm_url,
        fcm_token_url=settings.fcm_token_url,
        pushy_url=settings.pushy_url,
        webpush_allowed_hosts=settings.webpush_allowed_hosts,
        ca_file=settings.ca_file,
        timeout_seconds=settings.provider_timeout_seconds,
        is_local=settings.is_local,
    )


class Probe(msgspec.Struct, frozen=True):
    """A push that is made up to see what a provider says of a credential."""

    notification: Notification
    device: Device


class Adapters:
    def __init__(
        self,
        *,
        apns: ApnsAdapter,
        fcm: FcmAdapter,
        webpush: WebPushAdapter,
        pushy: PushyAdapter,
    ) -> None:
        self._apns = apns
        self._fcm = fcm
        self._webpush = webpush
        self._pushy = pushy

    async def send(
        self,
        provider: Provider,
        notification: Notification,
        device: Device,
        credential: Credential,
    ) -> Outcome:
        """One attempt; it never raises for what a provider or the network does."""
        match provider, credential:
            case "apns", ApnsCredential() | ApnsCertificate():
                return await self._apns.send(notification, device, credential)
            case "fcm", FcmCredential():
                return await self._fcm.send(notification, device, credential)
            case "webpush", WebPushCredential():
                return await self._webpush.send(notification, device, credential)
            case "pushy", PushyCredential():
                return await self._pushy.send(notification, device, credential)
            case _:
                return Misconfigured("credential_of_another_provider")

    async def verify(self, provider: Provider, probe: Probe, credential: Credential) -> Outcome:
        """What the provider says of a push to a token that nobody has: nothing is delivered.

        Web Push services know no credential apart from a subscription; theirs is checked here.
        """
        match provider, credential:
            case "apns", ApnsCredential() | ApnsCertificate():
                device = msgspec.structs.replace(
                    probe.device, apns_environment=credential.environment
                )
                return await self._apns.send(probe.notification, device, credential)
            case "fcm", FcmCredential():
                return await self._fcm.send(
                    probe.notification, probe.device, credential, is_dry_run=True
                )
            case "webpush", WebPushCredential():
                return self._webpush.verify(credential)
            case _:
                return await self.send(provider, probe.notification, probe.device, credential)

    async def aclose(self) -> None:
        for adapter in (self._apns, self._fcm, self._webpush, self._pushy):
            await adapter.aclose()


def create_adapters(settings: ProviderSettings, clock: Clock) -> Adapters:
    """On the running loop, after any fork. Limits are per transport."""
    timeout = settings.timeout_seconds
    create = partial(Transport, ca_file=settings.ca_file)
    apns = partial(
        Transport,
        ca_file=settings.ca_file,
        require_http2=True,
        max_connections=16,
        max_connections_per_host=4,
        idle_seconds=3_600,  # Apple: keep connections for hours
    )
    return Adapters(
        apns=ApnsAdapter(
            ApnsTransports(
                lambda certificate: RotatingTransport(partial(apns, client_certificate=certificate))
            ),
            production_url=settings.apns_production_url,
            sandbox_url=settings.apns_sandbox_url,
            clock=clock,
            timeout_seconds=timeout,
        ),
        fcm=FcmAdapter(
            # 100 streams a connection at most, and the OAuth host beside it
            RotatingTransport(partial(create, max_connections_per_host=8, idle_seconds=300)),
            base_url=settings.fcm_url,
            token_url=settings.fcm_token_url,
            clock=clock,
            timeout_seconds=timeout,
        ),
        webpush=WebPushAdapter(
            RotatingTransport(
                partial(create, allow_http=settings.is_local, max_connections_per_host=16)
            ),
            allowed_hosts=settings.webpush_allowed_hosts,
            clock=clock,
            timeout_seconds=timeout,
            is_local=settings.is_local,
        ),
        pushy=PushyAdapter(
            # HTTP/1.1 is to be expected: one request a connection at a time
            RotatingTransport(partial(create, max_connections_per_host=32)),
            base_url=settings.pushy_url,
            clock=clock,
            timeout_seconds=timeout,
        ),
    )


def create_pushy_api(settings: ProviderSettings) -> PushyApi:
    """For what is asked of Pushy beside deliveries; on the running loop."""
    return PushyApi(
        RotatingTransport(
            partial(Transport, ca_file=settings.ca_file, max_connections_per_host=32)
        ),
        base_url=settings.pushy_url,
        timeout_seconds=PUSHY_TIMEOUT_SECONDS,
    )
