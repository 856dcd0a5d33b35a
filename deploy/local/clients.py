"""HTTP as a newcomer would speak it: the service's API and the simulators' admin API."""

from collections.abc import Mapping
from typing import Any, Self

import httpx

TIMEOUT_SECONDS = 30.0

Json = dict[str, Any]


class UnexpectedAnswer(RuntimeError):
    """A call was answered with a status that it should not have; the message shows the answer."""


class Client:
    """JSON over HTTP against one base URL, as one caller."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=base_url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, *, expect: int = 200, **query: str) -> Json:
        return self._call("GET", path, expect, params=query)

    def put(self, path: str, body: Mapping[str, Any], *, expect: int | tuple[int, ...]) -> Json:
        return self._call("PUT", path, expect, json=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Json:
        return self._call("PATCH", path, 200, json=body)

    def post(self, path: str, body: Mapping[str, Any], *, expect: int | tuple[int, ...]) -> Json:
        return self._call("POST", path, expect, json=body)

    def post_form(self, path: str, form: Mapping[str, str]) -> Json:
        return self._call("POST", path, 200, data=form)

    def _call(self, method: str, path: str, expect: int | tuple[int, ...], **request: Any) -> Json:
        response = self._http.request(method, path, **request)
        allowed = (expect,) if isinstance(expect, int) else expect
        if response.status_code not in allowed:
            raise UnexpectedAnswer(f"{method} {path}: {response.status_code} {response.text[:500]}")
        answer: Json = response.json() if response.content else {}
        return answer | {"http_status": response.status_code} if method == "PUT" else answer
