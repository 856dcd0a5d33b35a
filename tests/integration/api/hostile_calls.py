"""Query parameters, paths and tokens that are wrong."""

from collections.abc import Iterator

from tests.integration.api.hostile import SEND, Headers, Hostile
from tests.integration.api.hostile_sends import WIDE

APP_ID = "0195a000-0000-7000-8000-0000000000aa"  # of no app
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA"
QUERIES: tuple[tuple[str, str], ...] = (
    ("limit=0", "#/limit"),
    ("limit=-1", "#/limit"),
    ("limit=1001", "#/limit"),
    ("limit=abc", "#/limit"),
    ("limit=", "#/limit"),
    ("limit=1.5", "#/limit"),
    ("limit=true", "#/limit"),
    ("limit=%00", "#/limit"),
    ("limit=" + "9" * 5_000, "#/limit"),
    ("limit=5&limit=6", "#/limit"),
    ("limit=5&limit=5", "#/limit"),
    ("cursor=x", "#/cursor"),
    ("cursor=", "#/cursor"),
    ("cursor=%00", "#/cursor"),
    ("cursor=%ff%fe", "#/cursor"),
    ("cursor=$USER%0a", "#/cursor"),
    ("cursor=$USER&cursor=$USER", "#/cursor"),
    ("user_id=me", "#/user_id"),
    ("user_id=%7B$USER%7D", "#/user_id"),
    ("platform=symbian", "#/platform"),
    ("platform=IOS", "#/platform"),
    ("platform=", "#/platform"),
    ("platform=ios&platform=web", "#/platform"),
    ("provider=email", "#/provider"),
    ("active=maybe", "#/active"),
    ("active=2", "#/active"),
)
PATHS: tuple[tuple[str, str], ...] = (
    (f"/push/devices/{APP_ID}", "App not found"),
    ("/push/devices/x", "App not found"),
    ("/push/devices/%00", "App not found"),
    ("/push/config/%7B$APP%7D", "App not found"),
    ("/push/notifications/..%00", "Notification not found"),
    ("/push//send/x", "Not found"),
    ("/push/devices/$APP/x", "Not found"),
)
TOKENS: tuple[tuple[str, Headers], ...] = (
    ("none", ()),
    ("empty", (("authorization", ""),)),
    ("no token", (("authorization", "Bearer"),)),
    ("spaces", (("authorization", "Bearer   "),)),
    ("basic", (("authorization", "Basic YTpi"),)),
    ("garbage", (("authorization", "Bearer x"),)),
    ("unsigned", (("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),)),
    ("not ours", (("authorization", f"Bearer {JWT}"),)),
    ("two tokens", (("authorization", f"Bearer {JWT} {JWT}"),)),
    ("two headers", (("authorization", f"Bearer {JWT}"),) * 2),
    ("10 KB", (("authorization", "Bearer " + "a" * 10_240),)),
    ("10 KB of parts", (("authorization", "Bearer " + "a." * 5_120),)),
    ("nested header", (("authorization", "Bearer " + "W1tb" * 2_000 + ".W10.AA"),)),
    ("not ASCII", (("authorization", b"Bearer \xff\xfe\xc3\xa9"),)),
    ("wide", (("authorization", f"Bearer {WIDE}".encode()),)),
)


def queries() -> Iterator[Hostile]:
    """Query parameters of the device list, and paths."""
    for query, pointer in QUERIES:
        yield Hostile(
            name=f"devices?{query[:40]}",
            method="GET",
            path=f"/push/devices/$APP?{query}",
            who="admin",
            headers=(),
            pointer=pointer,
        )
    for path, detail in PATHS:
        yield Hostile(
            name=f"path {path}",
            method="GET",
            path=path,
            who="admin",
            headers=(),
            status=404,
            detail=detail,
            pointer="",
        )


def tokens() -> Iterator[Hostile]:
    """A good send with a bad Authorization header."""
    json = ("content-type", "application/json")
    second = ("beside a good one", (("authorization", "Bearer x"),))
    for fault, headers in (*TOKENS, second):
        yield SEND.hostile(
            f"authorization {fault}",
            SEND.valid,
            headers=(json, *headers),
            status=401,
            detail="Invalid token",
            pointer="",
            who="service" if fault == second[0] else "nobody",
        )
