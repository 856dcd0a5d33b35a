"""What every request body has in common: strict types, no unknown members."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# `$(?!\n)`: a bare `$` would let a trailing newline through.
TENANT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$(?!\n)"
LANGUAGE_PATTERN = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}$(?!\n)"  # BCP 47
TenantId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=TENANT_PATTERN,
        description="the tenant that has the app; only platform admins may name any",
    ),
]
Instant = Annotated[datetime, Meta(tz=True)]
NextCursor = Annotated[
    str,
    Meta(pattern="^[0-9a-f]{32}$", description="the `cursor` of the next page"),
]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all request bodies."""


class Ok(msgspec.Struct, frozen=True):
    status: Literal["ok"] = "ok"
