"""Request bodies: one strict decode straight into the handler's type, JSON only.

Litestar itself decodes twice and leniently ("5" becomes 5), and takes any content type.
"""

import re
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

from api.errors import FieldError, UnsupportedMediaTypeError, ValidationFailedError, invalid

_decoders: dict[HTTPRouteHandler, msgspec.json.Decoder[Any]] = {}
_AT = re.compile(r" - at `\$(.*)`\Z", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")
_MEMBER = re.compile(r"Object (?:missing required|contains unknown) field `([A-Za-z0-9_.-]{1,64})`")


class StrictRequest(Request[Any, Any, State]):
    """The request class of every route that takes JSON."""

    async def body(self) -> bytes:
        content_type, options = self.content_type
        charset = options.get("charset", "utf-8").lower()
        if content_type.lower() != "application/json" or charset != "utf-8":
            raise UnsupportedMediaTypeError
        return await super().body()

    async def json(self) -> Any:
        body = await self.body()
        try:
            return _decoder(self.route_handler).decode(body)
        except msgspec.ValidationError as error:
            raise ValidationFailedError([field_error(str(error))]) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise invalid("#", "not valid JSON") from None


def _decoder(handler: HTTPRouteHandler) -> msgspec.json.Decoder[Any]:
    decoder = _decoders.get(handler)
    if decoder is None:
        field = handler.parsed_data_field
        decoder = msgspec.json.Decoder(Any if field is None else field.annotation)
        _decoders[handler] = decoder
    return decoder


def field_error(message: str) -> FieldError:
    """A text of msgspec ("Expected `int`, got `str` - at `$.users[3].ttl`") with a JSON pointer."""
    at = _AT.search(message)
    path = at[1] if at else ""
    steps = [name or index for name, index in _STEP.findall(path)]
    text = message[: at.start()] if at else message
    member = _MEMBER.match(text)
    if member:
        steps.append(member[1])
    return FieldError("#" + "".join(f"/{step}" for step in steps), text)
