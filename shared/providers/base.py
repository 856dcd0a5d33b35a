"""The one contract of every provider adapter."""

from typing import Protocol, TypeVar

from shared.domain.credentials import Credential
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.providers.outcomes import Outcome

CredentialT_contra = TypeVar("CredentialT_contra", bound=Credential, contravariant=True)


class ProviderAdapter(Protocol[CredentialT_contra]):
    """Translates a notification into the provider's request and its answer into an outcome.

    An adapter does not retry (but for a refreshed credential), store or log; it never raises for
    anything that a provider or the network can do, and it returns within its timeout.
    """

    async def send(
        self, notification: Notification, device: Device, credential: CredentialT_contra
    ) -> Outcome: ...

    async def aclose(self) -> None: ...
