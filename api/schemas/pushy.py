"""Wire format of the Pushy API: what stands in its envelope, and what is asked for."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from api.bodies.data_text import compact_data
from api.errors import DataTooLargeError, invalid
from api.schemas.base import Body, Instant
from api.services.pushy_errors import PayloadLimitError
from api.services.pushy_sends import DirectPush
from shared.domain.devices import Device, Platform
from shared.storage.dev_sends import DevSend

TOKENS_MAX = 100_000
TOPICS_MAX = 100
TOPIC_CHARACTERS_MAX = 100
RESERVED = ("title", "message", "action")
TOPIC_PATTERN = r"^(?!\.{1,2}$)[a-zA-Z0-9_.-]+$(?!\n)"  # `.` and `..` are no names in a URL
TOPIC_OR_ALL_PATTERN = rf"^\*$(?!\n)|{TOPIC_PATTERN}"
PushyPlatform = Literal["IOS", "ANDROID", "WEB"]
# Pushy takes `/topics/<name>` where it takes a token: that would be a push to all who follow it.
Token = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^(?!/)[!-~]+$(?!\n)")]
Topic = Annotated[str, Meta(min_length=1, max_length=TOPIC_CHARACTERS_MAX, pattern=TOPIC_PATTERN)]
Topics = Annotated[list[Topic], Meta(min_length=1, max_length=TOPICS_MAX)]
TopicOrAll = Annotated[
    str, Meta(min_length=1, max_length=TOPIC_CHARACTERS_MAX, pattern=TOPIC_OR_ALL_PATTERN)
]
AnyTopics = Annotated[list[TopicOrAll], Meta(max_length=TOPICS_MAX)]
Text = Annotated[str, Meta(min_length=1, description="counts towards the payload's 4,096 bytes")]
AdditionalData = Annotated[
    msgspec.Raw,
    Meta(description="a JSON object", extra_json_schema={"type": ["object", "null"]}),
]
_PLATFORMS: dict[PushyPlatform, Platform] = {"IOS": "ios", "ANDROID": "android", "WEB": "web"}
_NAMES: dict[Platform, PushyPlatform] = {platform: name for name, platform in _PLATFORMS.items()}


class DeviceInfoBody(Body, frozen=True, kw_only=True):
    token: Token
    platform: PushyPlatform
    language: Literal["en", "zh"] = "en"

    def domain_platform(self) -> Platform:
        return _PLATFORMS[self.platform]


class SubscribeBody(Body, frozen=True, kw_only=True):
    token: Token
    topics: Topics


class UnsubscribeBody(Body, frozen=True, kw_only=True):
    """Without topics, or with `*`: from all of them."""

    token: Token
    topics: AnyTopics | None = None


class SendDevBody(Body, frozen=True, kw_only=True):
    """`additional_data`: members of Pushy's payload, beside `title`, `message` and `action`."""

    title: Text
    content: Text
    to: Annotated[list[Token], Meta(min_length=1, max_length=TOKENS_MAX)]
    action: Text | None = None
    additional_data: AdditionalData = msgspec.field(default_factory=msgspec.Raw)

    def push(self) -> DirectPush:
        return DirectPush(
            title=self.title,
            content=self.content,
            to=tuple(self.to),
            data=_members(bytes(self.additional_data)),
            action=self.action,
        )


def _members(raw: bytes) -> dict[str, msgspec.Raw]:
    if raw in (b"", b"null"):
        return {}
    try:
        text = compact_data(raw, "#/additional_data")
    except DataTooLargeError:
        raise PayloadLimitError from None
    members: dict[str, Any] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    for name in RESERVED:
        if name in members:
            raise invalid(f"#/additional_data/{name}", "reserved")
    return members


class TokenRow(msgspec.Struct, frozen=True):
    token: str
    platform: PushyPlatform

    @classmethod
    def of(cls, device: Device) -> "TokenRow":
        return cls(device.token, _NAMES[device.platform])


class Done(msgspec.Struct, frozen=True):
    success: bool
    message: str


class SubscribersRow(msgspec.Struct, frozen=True):
    topic: str
    subscribers: list[str]


class DevSendRow(msgspec.Struct, frozen=True, kw_only=True):
    """`failed`: tokens that Pushy does not know; they are deactivated."""

    id: UUID
    pushy_id: str | None
    devices: int
    failed: list[str]
    created_at: Instant

    @classmethod
    def of(cls, send: DevSend) -> "DevSendRow":
        return cls(
            id=send.dev_send_id,
            pushy_id=send.push_id,
            devices=send.device_count,
            failed=list(send.failed),
            created_at=send.created_at,
        )


class KeyPairRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a client encrypts with (RFC 7516); `key` is a public JWK (RFC 7517)."""

    kid: str
    alg: str
    enc: str
    key: dict[str, str]
    expires_at: Instant
