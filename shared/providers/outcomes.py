"""What a provider said about one attempt: a value, whatever happened.

CONTRACT §4 has the table of what follows from each; `worker/retry.py` is that table as code.
"""

from datetime import datetime
from typing import Literal

import msgspec

from shared.domain.devices import ApnsEnvironment

Scope = Literal["device", "origin", "project", "credential"]


class Sent(msgspec.Struct, frozen=True):
    """The provider took it; `cut` names what of title, body and data did not go out whole.

    `apns_environment` is where the token turned out to be at home, when nobody had said.
    """

    provider_message_id: str | None = None
    cut: tuple[str, ...] = ()
    apns_environment: ApnsEnvironment | None = None


class Unregistered(msgspec.Struct, frozen=True):
    """The token is dead. `invalid_since`: the provider's own instant of that (APNs 410)."""

    reason: str
    invalid_since: datetime | None = None


class Suspect(msgspec.Struct, frozen=True):
    """The token looks dead, but our own set-up can cause the same answer."""

    reason: str


class Rejected(msgspec.Struct, frozen=True):
    """This notification can never be taken as it was built; the device is fine."""

    reason: str


class Unavailable(msgspec.Struct, frozen=True):
    """Not taken now. `retry_after_seconds` is the provider's wish for the lane `scope` names.

    `never_sent` is True only with proof that the provider did not process the request.
    """

    reason: str
    retry_after_seconds: float | None = None
    scope: Scope = "device"
    never_sent: bool = False


class Misconfigured(msgspec.Struct, frozen=True):
    """The app's credential or our set-up is wrong: no attempt succeeds until it changes."""

    reason: str


class Ambiguous(msgspec.Struct, frozen=True):
    """The request was written and no answer came: it may or may not have been taken."""

    reason: str


Outcome = Sent | Unregistered | Suspect | Rejected | Unavailable | Misconfigured | Ambiguous

TOO_LARGE = Rejected("payload_too_large")  # what the provider cannot carry, even when shortened


def with_cut(outcome: Outcome, cut: tuple[str, ...]) -> Outcome:
    """The outcome, which tells what was cut if the provider took it."""
    return msgspec.structs.replace(outcome, cut=cut) if isinstance(outcome, Sent) else outcome
