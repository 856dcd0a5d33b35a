"""Wire format of devices."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from api.schemas.base import LANGUAGE_PATTERN, Body, Instant, NextCursor
from api.services.devices import DevicePage, DeviceWish
from shared.domain.devices import ApnsEnvironment, Device, Platform, Provider, Subscription

PUSH_TOKEN_CHARACTERS_MAX = 4_096
_TIMEZONE = r"^[A-Za-z][A-Za-z0-9_+/-]*$(?!\n)"
PushToken = Annotated[str, Meta(min_length=1, max_length=PUSH_TOKEN_CHARACTERS_MAX)]


class RegisterBody(Body, frozen=True, kw_only=True):
    """`push_token`: a provider's token, or a browser's subscription or its JSON text."""

    app_id: UUID
    platform: Platform
    push_token: PushToken | Subscription
    provider: Provider | None = None
    language: Annotated[str, Meta(max_length=35, pattern=LANGUAGE_PATTERN)] | None = None
    timezone: Annotated[str, Meta(max_length=64, pattern=_TIMEZONE)] | None = None
    app_version: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    apns_environment: ApnsEnvironment | None = None

    def wish(self) -> DeviceWish:
        fields = msgspec.structs.asdict(self)
        del fields["app_id"]
        if not isinstance(self.push_token, str):
            fields["push_token"] = msgspec.json.encode(self.push_token).decode()
        return DeviceWish(**fields)


class RegisteredAnswer(msgspec.Struct, frozen=True):
    device_id: UUID


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    device_id: UUID
    user_id: UUID
    platform: Platform
    provider: Provider
    active: bool
    created_at: Instant
    last_seen_at: Instant
    deactivated_reason: str | None

    @classmethod
    def of(cls, device: Device) -> "DeviceRow":
        return cls(**{name: getattr(device, name) for name in cls.__struct_fields__})


class DevicesAnswer(msgspec.Struct, frozen=True):
    """`next_cursor` is there when there are more."""

    devices: list[DeviceRow]
    total: int
    next_cursor: NextCursor | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, page: DevicePage) -> "DevicesAnswer":
        after = page.next_after
        cursor = msgspec.UNSET if after is None else after.hex
        return cls([DeviceRow.of(device) for device in page.devices], page.total, cursor)
