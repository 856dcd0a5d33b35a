"""Wire format of previews."""

from uuid import UUID

import msgspec

from api.services.previewing import DevicePreview
from shared.domain.devices import Platform, Provider
from shared.providers.previews import Preview, Skipped


class PreviewRow(msgspec.Struct, frozen=True, kw_only=True):
    """One device: its request, or why it would be skipped."""

    device_id: UUID
    platform: Platform
    provider: Provider
    skipped: str | None
    request: Preview | None

    @classmethod
    def of(cls, row: DevicePreview) -> "PreviewRow":
        device, outcome = row.device, row.outcome
        return cls(
            device_id=device.device_id,
            platform=device.platform,
            provider=device.provider,
            skipped=outcome.reason if isinstance(outcome, Skipped) else None,
            request=outcome if isinstance(outcome, Preview) else None,
        )


class PreviewAnswer(msgspec.Struct, frozen=True):
    """What a send would do now. Tokens and what authenticates are hidden."""

    user_id: UUID
    devices: list[PreviewRow]

    @classmethod
    def of(cls, user_id: UUID, rows: list[DevicePreview]) -> "PreviewAnswer":
        return cls(user_id, [PreviewRow.of(row) for row in rows])
