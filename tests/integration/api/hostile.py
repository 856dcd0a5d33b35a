"""What a hostile request is, and the routes that take JSON: the base of all its tables.

In texts, $APP and $USER stand for the ids of an app and of its only user. A caller is who sends it:
a service, a user, the platform's admin or nobody.
"""

from dataclasses import dataclass
from typing import Any, Literal

Who = Literal["service", "user", "admin", "nobody"]
Headers = tuple[tuple[str | bytes, str | bytes], ...]
FAILED = "Validation failed"
STRANGER = "0195a000-0000-7000-8000-0000000000ff"


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """One request and what it must be answered; `pointer` "" is none at all, None any."""

    name: str
    method: str
    path: str
    who: Who
    content: bytes | None = None
    headers: Headers = (("content-type", "application/json"),)
    status: int = 400
    detail: str = FAILED
    pointer: str | None = None
    allow: frozenset[str] = frozenset()


@dataclass(frozen=True)
class JsonRoute:
    """A route that takes JSON, with a body that it takes; `first` is the body's first member."""

    name: str
    method: str
    path: str
    who: Who
    first: str
    rest: str
    bytes_max: int = 65_536
    allow: tuple[str, ...] = ("POST",)

    @property
    def valid(self) -> str:
        return "{" + self.first + self.rest + "}"

    def hostile(self, fault: str, content: str | bytes, **expected: Any) -> Hostile:
        given = {"who": self.who} | expected
        return Hostile(
            name=f"{self.name}: {fault}",
            method=self.method,
            path=self.path,
            content=content.encode() if isinstance(content, str) else content,
            **given,
        )


CONTENT = ',"title":"Hi","body":"There"'
APPLE = '"team_id":"T","key_id":"K","private_key":"P","topic":"t.t"'
GOOGLE = '"project_id":"p","client_email":"e","private_key":"k","private_key_id":"i"'
PROVIDERS = "/push/config/$APP/providers"
SEND = JsonRoute("send", "POST", "/push/send", "service", '"user_id":"$USER"', CONTENT, 524_288)
BULK = JsonRoute(
    "bulk", "POST", "/push/send/bulk", "service", '"user_ids":["$USER"]', CONTENT, 524_288
)
BATCH = JsonRoute(
    "batch",
    "POST",
    "/push/send/batch",
    "service",
    '"notifications":[' + SEND.valid + "]",
    "",
    41_943_040,
)
REGISTER = JsonRoute(
    "register",
    "POST",
    "/push/devices/register",
    "user",
    '"app_id":"$APP"',
    ',"platform":"android","push_token":"token"',
)
CONFIG = JsonRoute(
    "config",
    "PATCH",
    "/push/config/$APP",
    "admin",
    '"daily_quota":5',
    ',"enabled":false',
    allow=("GET", "PATCH"),
)
APP = JsonRoute(
    "app", "PUT", "/push/apps/$APP", "admin", '"name":"new"', "", allow=("GET", "PUT", "DELETE")
)
ENROL = JsonRoute(
    "enrol",
    "POST",
    "/push/apps/$APP/users",
    "admin",
    f'"user_ids":["{STRANGER}"]',
    "",
    1_048_576,
)
DISCARD = JsonRoute(
    "discard", "POST", "/push/dead-letters/discard", "admin", '"ids":["$USER"]', ',"dry_run":false'
)
CREDENTIALS = [
    JsonRoute(
        name, "PUT", f"{PROVIDERS}/{name}", "admin", first, "", allow=("GET", "PUT", "DELETE")
    )
    for name, first in (
        ("apns", APPLE),
        ("fcm", '"service_account":{' + GOOGLE + "}"),
        ("webpush", '"subject":"mailto:a@example.com"'),
        ("pushy", '"api_key":"k"'),
    )
]
ROUTES = [SEND, BULK, BATCH, REGISTER, CONFIG, APP, ENROL, DISCARD, *CREDENTIALS]
