"""Wire format of what is said about the process itself."""

from typing import Literal

import msgspec


class HealthAnswer(msgspec.Struct, frozen=True):
    """`unavailable` without MongoDB or its keys; without its broker it still accepts sends."""

    status: Literal["ok", "unavailable"]
    mongo: bool
    keys: bool
    broker: bool
