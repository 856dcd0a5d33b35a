"""The `Idempotency-Key` field of a request, with what makes a repeated request the same one."""

import hashlib
import re
from typing import Any

from litestar import Request

from api.errors import invalid
from api.services.sending import Key

HEADER = "Idempotency-Key"
_KEY = re.compile(r'[!#-\[\]-~]{1,255}|"(?:[ !#-\[\]-~]){1,255}"')  # bare, or quoted (RFC 9651)


def idempotency_key(request: Request[Any, Any, Any], body: bytes) -> Key | None:
    """The key, or None without one.

    Raises:
        ValidationFailedError: more than one, or not 1 to 255 printable ASCII characters.
    """
    fields = request.headers.getall(HEADER, [])
    if not fields:
        return None
    if len(fields) > 1 or not _KEY.fullmatch(fields[0]):
        raise invalid(f"#/{HEADER}", "must be 1 to 255 printable ASCII characters")
    key = fields[0].strip('"')
    path = request.scope["path"].rstrip("/")
    return Key(
        key_hash=hashlib.sha256(key.encode()).hexdigest(),
        body_hash=hashlib.sha256(path.encode() + b"\0" + body).digest(),
    )
