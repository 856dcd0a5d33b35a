"""The ways to push that are held against each other: ours, and what a team would take instead.

Each is an async context that yields the call for one push. All carry the same notification, and
each fails loudly when an answer is not a success.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import requests
from aioapns import APNs, NotificationRequest
from py_vapid import Vapid
from pywebpush import WebPusher, webpush

from shared.clock import utc_now
from shared.crypto.vapid import VapidHeaders, b64url_decode
from shared.domain.credentials import Credential
from shared.domain.devices import Device, Provider
from shared.domain.notifications import Notification
from shared.outbound.transport import Transport
from shared.providers.fcm_message import build_message, fit_message
from shared.providers.fit import BuiltT, Fitted
from shared.providers.outcomes import Sent
from shared.providers.registry import ProviderSettings, create_adapters
from shared.providers.webpush import fit_plaintext
from shared.providers.webpush_encryption import encrypt, read_receiver
from tests.unit.shared.providers.builders import (
    APNS_KEY,
    APNS_TOKEN,
    AUTH_SECRET,
    RECEIVER_KEY,
    make_apns_credential,
    make_device,
    make_fcm_credential,
    make_notification,
    make_subscription,
    make_webpush_credential,
    private_pem,
)

TIMEOUT_SECONDS = 30.0
ONE_DAY = timedelta(days=1)

Push = Callable[[int], Awaitable[None]]


class Target(msgspec.Struct, frozen=True):
    """Where to push, and whom to trust."""

    url: str
    ca_file: str

    @property
    def endpoint(self) -> str:
        """A Web Push subscription's."""
        return f"{self.url}/push/x"


Contender = Callable[[Target], AbstractAsyncContextManager[Push]]


def _notification() -> Notification:
    now = utc_now()
    return make_notification(
        title="Your order is on its way",
        body="It arrives between 10 and 12 o'clock.",
        data='{"order":"A-1001"}',
        starts_at=now,
        expires_at=now + ONE_DAY,
        ttl_seconds=86_400,
    )


# --- Fanfare: the adapter, all of it, from the notification to the classified outcome


def _ours(provider: Provider, device: Device, credential: Credential) -> Contender:
    @asynccontextmanager
    async def contender(target: Target) -> AsyncIterator[Push]:
        adapters = create_adapters(_settings(target), utc_now)
        notification = _notification()
        to = device
        if provider == "webpush":
            token = make_subscription(target.endpoint)
            to = msgspec.structs.replace(device, token=token)

        async def push(_: int) -> None:
            outcome = await adapters.send(provider, notification, to, credential)
            if not isinstance(outcome, Sent):
                raise TypeError(f"not sent: {outcome}")

        try:
            yield push
        finally:
            await adapters.aclose()

    return contender


def _settings(target: Target) -> ProviderSettings:
    return ProviderSettings(
        apns_production_url=target.url,
        apns_sandbox_url=target.url,
        fcm_url=target.url,
        fcm_token_url=f"{target.url}/token",
        pushy_url=target.url,
        webpush_allowed_hosts=("localhost",),
        ca_file=target.ca_file,
        timeout_seconds=TIMEOUT_SECONDS,
        is_local=True,
    )


@asynccontextmanager
async def bare_transport(target: Target) -> AsyncIterator[Push]:
    """Our transport alone, with a request as APNs gets it."""
    transport = Transport(ca_file=target.ca_file, require_http2=True)
    headers = {
        "authorization": f"bearer {'t' * 180}",
        "apns-id": "01234567-89ab-5def-8123-456789abcdef",
        "apns-topic": "com.example.app",
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": "1800000000",
        "apns-collapse-id": "c" * 32,
        "content-type": "application/json",
    }
    body = b"x" * 250

    async def push(_: int) -> None:
        response = await transport.request(
            "POST",
            f"{target.url}/3/device/{APNS_TOKEN}",
            headers,
            body,
            timeout=TIMEOUT_SECONDS,
            max_response_bytes=16_384,
        )
        _require_success(response.status)

    yield push
    await transport.aclose()


@asynccontextmanager
async def our_encryption(target: Target) -> AsyncIterator[Push]:
    """RFC 8291 and the VAPID header, nothing sent."""
    credential = make_webpush_credential()
    headers = VapidHeaders(utc_now)
    plaintext = _webpush_plaintext()
    keys = b64url_decode(RECEIVER_KEY), b64url_decode(AUTH_SECRET)

    async def push(_: int) -> None:
        headers.authorization(credential.vapid_private_key, credential.subject, target.url)
        encrypt(plaintext, read_receiver(*keys))

    yield push


# --- What a team would take instead


@asynccontextmanager
async def stock_aioapns(target: Target) -> AsyncIterator[Push]:
    """Stock aioapns, with the payload built once."""
    trust = ssl.create_default_context(cafile=target.ca_file)
    trust.set_alpn_protocols(["h2"])  # Apple needs none, nginx does
    client = APNs(
        key=private_pem(APNS_KEY),
        key_id="KEY0000001",
        team_id="TEAM000001",
        topic="com.example.app",
        ssl_context=trust,
    )
    host, _, port = target.url.removeprefix("https://").partition(":")
    client.pool.protocol_class = type(
        "Local", (client.pool.protocol_class,), {"APNS_SERVER": host, "APNS_PORT": int(port)}
    )
    alert = {"title": "Your order is on its way", "body": "It arrives between 10 and 12 o'clock."}
    message = {"aps": {"alert": alert}, "data": {"order": "A-1001"}}

    async def push(_: int) -> None:
        result = await client.send_notification(
            NotificationRequest(device_token=APNS_TOKEN, message=message, time_to_live=86_400)
        )
        _require_success(int(result.status))

    yield push
    client.pool.close()


@asynccontextmanager
async def plain_httpx(target: Target) -> AsyncIterator[Push]:
    """The usual httpx over HTTP/2; its FCM message is built once and its token is there."""
    notification = _notification()
    device = make_device(provider="fcm", platform="android", token="fcm-token:APA91b")
    content = _content(fit_message(notification, device))
    body = msgspec.json.encode({"message": build_message(content, notification, device, utc_now())})
    headers = {"authorization": f"Bearer {'t' * 180}", "content-type": "application/json"}
    url = f"{target.url}/v1/projects/example-project/messages:send"
    trust = ssl.create_default_context(cafile=target.ca_file)
    async with httpx.AsyncClient(http2=True, verify=trust, trust_env=False, timeout=30) as client:

        async def push(_: int) -> None:
            response = await client.post(url, content=body, headers=headers)
            _require_success(response.status_code)

        yield push


@asynccontextmanager
async def pywebpush_encryption(target: Target) -> AsyncIterator[Push]:
    """What pywebpush does before it sends: encode, and a VAPID header each time."""
    subscription = _subscription(target)
    vapid = Vapid.from_string(make_webpush_credential().vapid_private_key)
    plaintext = _webpush_plaintext()

    async def push(_: int) -> None:
        vapid.sign(_claims(target))
        WebPusher(subscription).encode(plaintext)

    yield push


@asynccontextmanager
async def stock_pywebpush(target: Target) -> AsyncIterator[Push]:
    """Stock pywebpush, one after another on a session that keeps its connection."""
    subscription = _subscription(target)
    private_key = make_webpush_credential().vapid_private_key
    plaintext = _webpush_plaintext()
    with requests.Session() as session:
        session.verify = target.ca_file
        session.trust_env = False

        async def push(_: int) -> None:
            response = webpush(
                subscription,
                plaintext,
                vapid_private_key=private_key,
                vapid_claims=_claims(target),
                ttl=86_400,
                timeout=TIMEOUT_SECONDS,
                requests_session=session,
            )
            _require_success(response.status_code)
            await asyncio.sleep(0)

        yield push


def _subscription(target: Target) -> dict[str, Any]:
    return {"endpoint": target.endpoint, "keys": {"p256dh": RECEIVER_KEY, "auth": AUTH_SECRET}}


def _claims(target: Target) -> dict[str, Any]:
    return {"sub": "mailto:push@example.com", "aud": target.url}


def _webpush_plaintext() -> bytes:
    return _content(fit_plaintext(_notification(), make_device(provider="webpush", platform="web")))


def _content(fitted: Fitted[BuiltT] | None) -> BuiltT:
    if fitted is None:
        raise TypeError("the notification does not fit")
    return fitted.content


def _require_success(status: int) -> None:
    if not 200 <= status < 300:
        raise TypeError(f"answered {status}")


CONTENDERS: dict[str, Contender] = {
    "apns: aioapns": stock_aioapns,
    "apns: fanfare": _ours("apns", make_device(), make_apns_credential()),
    "fcm: httpx": plain_httpx,
    "fcm: fanfare": _ours(
        "fcm",
        make_device(provider="fcm", platform="android", token="fcm-token:APA91b"),
        make_fcm_credential(),
    ),
    "web push, encrypt and sign: pywebpush": pywebpush_encryption,
    "web push, encrypt and sign: fanfare": our_encryption,
    "web push, whole: pywebpush": stock_pywebpush,
    "web push, whole: fanfare": _ours(
        "webpush", make_device(provider="webpush", platform="web"), make_webpush_credential()
    ),
    "transport alone: fanfare": bare_transport,
}
