"""An HttpClient that answers from a script and remembers what it was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from shared.outbound.interface import AllowAddress, Response, TransportError


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float
    allow_address: AllowAddress | None


Answer = Response | TransportError | Callable[[Request], Response]


def json_response(status: int, content: object = None, **headers: str) -> Response:
    body = b"" if content is None else msgspec.json.encode(content)
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


class FakeHttp:
    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.rotations = 0

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        timeout: float,
        max_response_bytes: int,
        allow_address: AllowAddress | None = None,
    ) -> Response:
        assert max_response_bytes > 0
        request = Request(method, url, headers, body, timeout, allow_address)
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, TransportError):
            raise answer
        return answer if isinstance(answer, Response) else answer(request)

    def rotate(self) -> None:
        self.rotations += 1

    async def aclose(self, grace: float = 0.0) -> None:
        """Nothing to close."""
