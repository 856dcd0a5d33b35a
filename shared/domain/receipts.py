"""What an app's webhook is told, numbered per app: how deliveries ended, which devices went."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from shared.domain.deliveries import DeliveryState
from shared.domain.devices import Platform, Provider

RECEIPTS_PER_CALL_MAX = 100
CallState = Literal["pending", "received", "abandoned", "unposted"]  # unposted: no webhook then
DEACTIVATED: Literal["device.deactivated"] = "device.deactivated"
ReceiptState = DeliveryState | Literal["deactivated"]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of one delivery, or with `type` that of a device, which belongs to none.

    `seq` is 0 until the app's sequence has given it a number.
    """

    id: UUID
    seq: int
    type: Literal["device.deactivated"] | msgspec.UnsetType = msgspec.UNSET
    notification_id: UUID | None
    user_id: UUID
    device_id: UUID
    platform: Platform | None  # None: the device's row is gone
    provider: Provider
    state: ReceiptState
    reason: str | None
    attempts: int
    provider_message_id: str | None
    occurred_at: datetime


class ReceiptCall(msgspec.Struct, frozen=True, kw_only=True):
    """1 to 100 receipts of one app that travel together; `body` is fixed when it is recorded."""

    app_id: UUID
    first_seq: int
    count: int
    webhook_id: str
    body: bytes
    attempts: int
    state: CallState
    next_attempt_at: datetime | None
