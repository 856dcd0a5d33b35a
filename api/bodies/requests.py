"""Request bodies: one strict decode straight into the handler's type, JSON only.

Litestar itself decodes twice and leniently ("5" becomes 5), and takes any content type.
"""

import asyncio
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.types import Empty

from api.bodies.field_errors import field_error
from api.bodies.large_json import check_in_pieces
from api.bodies.strict_json import NOT_JSON, check
from api.errors import (
    UnsupportedEncodingError,
    UnsupportedMediaTypeError,
    ValidationFailedError,
    invalid,
)
from api.pointers import point

WHOLE_BYTES_MAX = 1_048_576  # larger bodies are checked piece by piece
_decoders: dict[HTTPRouteHandler, msgspec.json.Decoder[Any]] = {}
_one_at_a_time = asyncio.Lock()  # a large body costs several times its size while it is checked


class StrictRequest(Request[Any, Any, State]):
    """The request class of every route that takes JSON."""

    async def body(self) -> bytes:
        """The body, kept by this request only: the connection's scope outlives the answer."""
        if self._body is Empty:
            self._check_headers()
            self._body = b"".join([chunk async for chunk in self.stream()])
        return self._body

    def _check_headers(self) -> None:
        content_type, options = self.content_type
        if options.get("charset", "utf-8").lower() != "utf-8":
            raise UnsupportedMediaTypeError
        self.check_media_type(content_type.lower())
        if len(self.headers.getall("content-type")) > 1:
            raise UnsupportedMediaTypeError
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedEncodingError

    def check_media_type(self, media_type: str) -> None:
        """Refuse what is no JSON."""
        if media_type != "application/json":
            raise UnsupportedMediaTypeError

    async def json(self) -> Any:
        body = await self.body()
        if len(body) > WHOLE_BYTES_MAX:
            async with _one_at_a_time:
                await _check_in_pieces(body)
                decoded = self._decode(body)
                await asyncio.sleep(0)
                return decoded
        decoded = self._decode(body)
        check(_text(body))
        return decoded

    def _decode(self, body: bytes) -> Any:
        try:
            return _decoder(self.route_handler).decode(body)
        except msgspec.ValidationError as error:
            raise ValidationFailedError([field_error(str(error))]) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise invalid("#", NOT_JSON) from None


def refuse_unclear_parameters(request: Request[Any, Any, Any]) -> None:
    """A query parameter is given once, and is left out rather than null.

    Litestar would silently take the last one, and would take `null` for no value at all.

    Raises:
        ValidationFailedError: one is given twice, or is the word null.
    """
    if not request.scope["query_string"]:
        return
    known = request.route_handler.parsed_fn_signature.parameters
    parameters = request.query_params
    for name in parameters:
        values = parameters.getall(name)
        if len(values) > 1:
            raise invalid(point("#", name), "given more than once")
        if name in known and values[0].lower() == "null":
            raise invalid(point("#", name), "must not be null")


def _decoder(handler: HTTPRouteHandler) -> msgspec.json.Decoder[Any]:
    decoder = _decoders.get(handler)
    if decoder is None:
        field = handler.parsed_data_field
        decoder = msgspec.json.Decoder(Any if field is None else field.annotation)
        _decoders[handler] = decoder
    return decoder


async def _check_in_pieces(body: bytes) -> None:
    for _ in check_in_pieces(body):
        await asyncio.sleep(0)  # others are answered meanwhile


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise invalid("#", NOT_JSON) from None
