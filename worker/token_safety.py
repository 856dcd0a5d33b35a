"""When a device may be deactivated: on its token's own fault, or on evidence against it.

A wrong key, topic or environment of ours makes every token look dead, so an answer that our own
set-up can cause counts only when the same credential worked lately, or at the third in a row; and
never while no worker has ever seen that credential work. When too many of an app's devices look
dead, they all stay until somebody has looked.
"""

from datetime import datetime, timedelta

from shared.clock import Clock
from shared.domain.devices import Device
from shared.storage.credentials import CredentialRepository
from shared.storage.devices import DeviceRepository
from worker.holding import Holding
from worker.patience import stored
from worker.retry import Settle

WORKED_LATELY = timedelta(minutes=10)
SUSPICIONS_MAX = 3


class TokenSafety:
    """Turns what a step wants for the device into a conditional write, or refuses it."""

    def __init__(
        self,
        devices: DeviceRepository,
        credentials: CredentialRepository,
        holding: Holding,
        clock: Clock,
    ) -> None:
        self._devices, self._credentials = devices, credentials
        self._holding = holding
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
        if step.on_device == "keep" or not await self._holding.may_deactivate(device, credential):
            return step
        if step.on_device == "deactivate":
            await self._deactivate(device, step, min(step.invalid_since or sent_at, sent_at))
        elif await self._is_dead(device, credential):
            await self._deactivate(device, step, sent_at)
            return _with_state_unregistered(step)
        return step

    async def _worked(self, device: Device, credential: str) -> None:
        self._note_worked(credential)
        self._holding.taken(device, credential)
        if device.suspicions:
            await stored(lambda: self._devices.clear_suspicions(device.app_id, device.device_id))

    def _note_worked(self, credential: str) -> None:
        """The latest stand last, so that those that no longer count are found at the front."""
        now = self._clock()
        self._worked_at.pop(credential, None)
        self._worked_at[credential] = now
        oldest = next(iter(self._worked_at))
        if now - self._worked_at[oldest] > WORKED_LATELY:
            del self._worked_at[oldest]

    async def _is_dead(self, device: Device, credential: str) -> bool:
        worked_at = await self._last_worked_at(device, credential)
        if worked_at is None:
            return False
        if self._is_lately(worked_at):
            return True
        suspicions = await stored(
            lambda: self._devices.suspect(
                device.app_id,
                device.device_id,
                token_hash=device.token_hash,
                suspicions=device.suspicions + 1,
            )
        )
        return suspicions >= SUSPICIONS_MAX

    async def _last_worked_at(self, device: Device, credential: str) -> datetime | None:
        """When the credential last worked, here or elsewhere."""
        here = self._worked_at.get(credential)
        if here is not None and self._is_lately(here):
            return here
        noted = await stored(
            lambda: self._credentials.last_success_at(device.app_id, device.provider, credential)
        )
        return noted or here

    def _is_lately(self, worked_at: datetime) -> bool:
        return self._clock() - worked_at <= WORKED_LATELY

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
