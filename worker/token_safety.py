"""When a device may be deactivated: on its token's own fault, or on evidence against it.

A wrong key, topic or environment of ours makes every token look dead, so an answer that our own
set-up can cause counts only when the same credential worked lately, or at the third in a row.
"""

from datetime import datetime, timedelta

from shared.clock import Clock
from shared.domain.devices import Device
from shared.storage.devices import DeviceRepository
from worker.patience import stored
from worker.retry import Settle

WORKED_LATELY = timedelta(minutes=10)
SUSPICIONS_MAX = 3


class TokenSafety:
    """Turns what a step wants for the device into a conditional write, or refuses it."""

    def __init__(self, devices: DeviceRepository, clock: Clock) -> None:
        self._devices = devices
        self._clock = clock
        self._worked_at: dict[str, datetime] = {}

    async def apply(
        self, step: Settle, device: Device, credential: str, sent_at: datetime
    ) -> Settle:
        """Act on the device; the step with the state that follows from it.

        Args:
            step: what the policy decided.
            device: as it was when the push was sent.
            credential: fingerprint of the credential that it was sent with.
            sent_at: when the attempt began: a later registration is not what was judged.
        """
        if step.state == "sent":
            await self._worked(device, credential)
        elif step.on_device == "deactivate":
            await self._deactivate(device, step, step.invalid_since or sent_at)
        elif step.on_device == "suspect" and await self._is_dead(device, credential):
            await self._deactivate(device, step, sent_at)
            return _with_state_unregistered(step)
        return step

    async def _worked(self, device: Device, credential: str) -> None:
        self._worked_at[credential] = self._clock()
        if device.suspicions:
            await stored(lambda: self._devices.clear_suspicions(device.app_id, device.device_id))

    async def _is_dead(self, device: Device, credential: str) -> bool:
        worked_at = self._worked_at.get(credential)
        if worked_at is not None and self._clock() - worked_at <= WORKED_LATELY:
            return True
        suspicions = await stored(
            lambda: self._devices.suspect(
                device.app_id, device.device_id, token_hash=device.token_hash
            )
        )
        return suspicions >= SUSPICIONS_MAX

    async def _deactivate(self, device: Device, step: Settle, registered_before: datetime) -> None:
        await stored(
            lambda: self._devices.deactivate(
                device.app_id,
                device.device_id,
                token_hash=device.token_hash,
                registered_before=registered_before,
                reason=f"{device.provider}:{step.reason}",
            )
        )


def _with_state_unregistered(step: Settle) -> Settle:
    return Settle(state="unregistered", reason=step.reason)
