"""Routes of the Pushy API: devices, topics, direct pushes; every answer in the envelope."""

import re
from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter

from api.auth.mobile import MobileGate
from api.auth.principals import Service, User, parse_id
from api.bodies.sealed import sealed_request
from api.envelope import Envelope, enveloped, translated
from api.errors import invalid
from api.routes.paths import IdPath
from api.schemas.pushy import (
    TOPIC_CHARACTERS_MAX,
    TOPIC_PATTERN,
    DeviceInfoBody,
    DevSendRow,
    Done,
    KeyPairRow,
    SendDevBody,
    SubscribeBody,
    SubscribersRow,
    TokenRow,
    UnsubscribeBody,
)
from api.services.envelopes import EnvelopeKeys
from api.services.pushy_devices import PushyDeviceService
from api.services.pushy_sends import PushySendService
from shared.crypto.envelopes import ALGORITHM, ENCRYPTION
from shared.domain.apps import App

SMALL_BYTES_MAX = 8_192
SEND_PLAINTEXT_BYTES_MAX = 8_388_608
SEND_BYTES_MAX = 12_582_912  # that plaintext as a JWE
ID_HEADER = "X-Notification-Id"
TopicPath = Annotated[
    str,
    PathParameter(
        schema_extra={"pattern": TOPIC_PATTERN, "max_length": TOPIC_CHARACTERS_MAX},
    ),
]
UserRequest = Request[User, App, State]
CallerRequest = Request[User | Service, App, State]


def pushy_routes(
    devices: PushyDeviceService,
    sends: PushySendService,
    keys: EnvelopeKeys,
    gate: MobileGate,
) -> Router:
    handlers: list[Any] = [
        *_device_routes(devices, keys, gate),
        *_topic_routes(devices, gate),
        *_send_routes(sends, keys, gate),
        _key_route(keys, gate),
    ]
    return Router("/api/v1", route_handlers=handlers, tags=["pushy"])


def _device_routes(devices: PushyDeviceService, keys: EnvelopeKeys, gate: MobileGate) -> list[Any]:
    small = sealed_request(keys, plaintext_bytes_max=SMALL_BYTES_MAX)

    @post(
        "/device-info",
        guards=[gate.user],
        status_code=201,
        request_max_body_size=SMALL_BYTES_MAX,
        request_class=small,
    )
    async def register_token(
        request: UserRequest, data: JSONBody[DeviceInfoBody]
    ) -> Response[Envelope[TokenRow]]:
        """Make a token the user's one active session; the body may be encrypted."""
        await devices.begin_session(
            request.auth,
            request.user,
            token=data.token,
            platform=data.domain_platform(),
            language=data.language,
        )
        return enveloped(request, TokenRow(data.token, data.platform), 201)

    @get("/device-info", guards=[gate.user])
    async def list_tokens(request: UserRequest) -> Response[Envelope[list[TokenRow]]]:
        """The user's active tokens."""
        rows = await devices.active_of(request.auth, request.user)
        return enveloped(request, [TokenRow.of(device) for device in rows])

    return [register_token, list_tokens]


def _topic_routes(devices: PushyDeviceService, gate: MobileGate) -> list[Any]:
    @post("/device-info/subscribe", guards=[gate.user], status_code=200)
    async def subscribe_token(
        request: UserRequest, data: JSONBody[SubscribeBody]
    ) -> Response[Envelope[Done]]:
        """Subscribe the user's own token to topics."""
        await devices.subscribe(request.auth, request.user, data.token, data.topics)
        return _done(request, "Successfully subscribed to topics")

    @post("/device-info/unsubscribe", guards=[gate.user], status_code=200)
    async def unsubscribe_token(
        request: UserRequest, data: JSONBody[UnsubscribeBody]
    ) -> Response[Envelope[Done]]:
        """Unsubscribe the user's own token from topics, from all of them when none is named."""
        await devices.unsubscribe(request.auth, request.user, data.token, data.topics or [])
        return _done(request, "Successfully unsubscribed from topics")

    @get("/device-info/topics/{topic:str}/subscribers", guards=[gate.user_or_service])
    async def list_subscribers(
        request: CallerRequest, topic: TopicPath
    ) -> Response[Envelope[SubscribersRow]]:
        """A topic's tokens, from Pushy; a plain user sees their own."""
        if not is_topic(topic):
            raise invalid("#/topic", "must match [a-zA-Z0-9-_.]+ and not be . or ..")
        tokens = await devices.subscribers(request.auth, request.user, topic)
        return enveloped(request, SubscribersRow(topic, tokens))

    return [subscribe_token, unsubscribe_token, list_subscribers]


def _send_routes(sends: PushySendService, keys: EnvelopeKeys, gate: MobileGate) -> list[Any]:
    large = sealed_request(keys, plaintext_bytes_max=SEND_PLAINTEXT_BYTES_MAX)

    @post(
        "/notifications/send-dev",
        guards=[gate.user_or_service],
        status_code=200,
        request_max_body_size=SEND_BYTES_MAX,
        request_class=large,
    )
    async def send_dev(
        request: CallerRequest, data: JSONBody[SendDevBody]
    ) -> Response[Envelope[Done]]:
        """Push to tokens at once, through Pushy; the body may be encrypted."""
        send_id = await sends.send(request.auth, request.user, data.push())
        answer = _done(request, "Notification sent successfully")
        answer.headers[ID_HEADER] = str(send_id)
        return answer

    @get("/notifications/{notification_id:str}", guards=[gate.operator])
    async def get_dev_send(
        request: CallerRequest, notification_id: IdPath
    ) -> Response[Envelope[DevSendRow]]:
        """What came of a direct push: kept for seven days."""
        send = await sends.detail(request.auth, parse_id(notification_id))
        return enveloped(request, DevSendRow.of(send))

    return [send_dev, get_dev_send]


def _key_route(keys: EnvelopeKeys, gate: MobileGate) -> Any:
    @post("/sys/key-pair", guards=[gate.user_or_service], status_code=200)
    async def get_key_pair(request: CallerRequest) -> Response[Envelope[KeyPairRow]]:
        """The public key that request bodies may be encrypted with."""
        public = await keys.current()
        row = KeyPairRow(
            kid=public.kid,
            alg=ALGORITHM,
            enc=ENCRYPTION,
            key=public.jwk,
            expires_at=public.expires_at,
        )
        return enveloped(request, row)

    return get_key_pair


def is_topic(text: str) -> bool:
    return re.search(TOPIC_PATTERN, text) is not None and len(text) <= TOPIC_CHARACTERS_MAX


def _done(request: CallerRequest | UserRequest, text: str) -> Response[Envelope[Done]]:
    return enveloped(request, Done(success=True, message=translated(request, text)))
