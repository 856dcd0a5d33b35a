"""What every request body has in common: strict types, no unknown members."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# `$(?!\n)`: a bare `$` would let a trailing newline through.
TENANT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$(?!\n)"
TenantId = Annotated[str, Meta(min_length=1, max_length=128, pattern=TENANT_PATTERN)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all request bodies."""


class Ok(msgspec.Struct, frozen=True):
    status: Literal["ok"] = "ok"
