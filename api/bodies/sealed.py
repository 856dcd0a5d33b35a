"""Bodies that may come encrypted: the plain JSON, or a JWE of it; the same validation follows."""

from typing import ClassVar

import msgspec

from api.bodies.requests import StrictRequest
from api.errors import EnvelopeRefusedError
from api.services.envelopes import EnvelopeKeys

JOSE = "application/jose"
_WRAPPER_QUOTES = 4


class _Wrapper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: str


class SealedRequest(StrictRequest):
    """A sealed body is `{"payload": "<compact JWE>"}`, or the JWE itself as application/jose."""

    keys: ClassVar[EnvelopeKeys]
    plaintext_bytes_max: ClassVar[int]
    _plain: bytes | None = None

    async def body(self) -> bytes:
        """The plain body, whichever form it came in."""
        if self._plain is None:
            self._plain = await self._opened(await super().body())
        return self._plain

    def check_media_type(self, media_type: str) -> None:
        """Refuse what is neither JSON nor a JWE."""
        if media_type != JOSE:
            super().check_media_type(media_type)

    async def _opened(self, raw: bytes) -> bytes:
        is_jose = self.content_type[0].lower() == JOSE
        compact = raw.decode("ascii", errors="replace") if is_jose else _wrapped(raw)
        if compact is None:
            return raw
        plain = await self.keys.open(compact, plaintext_bytes_max=self.plaintext_bytes_max)
        if plain is None:
            raise EnvelopeRefusedError
        return plain


def sealed_request(keys: EnvelopeKeys, *, plaintext_bytes_max: int) -> type[SealedRequest]:
    """The request class of a route that takes both forms."""
    members = {"keys": keys, "plaintext_bytes_max": plaintext_bytes_max}
    return type("BoundSealedRequest", (SealedRequest,), members)


def _wrapped(raw: bytes) -> str | None:
    """The JWE in a wrapper, None when the body is none."""
    if b'"payload"' not in raw:
        return None
    try:
        compact = msgspec.json.decode(raw, type=_Wrapper).payload
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if raw.count(b'"') != _WRAPPER_QUOTES:  # named twice, or no JWE
        raise EnvelopeRefusedError
    return compact
