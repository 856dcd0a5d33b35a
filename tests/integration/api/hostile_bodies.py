"""Bodies that no route takes, and good ones under a bad label."""

import gzip
from collections.abc import Iterator

from tests.integration.api.hostile import ENROL, Headers, Hostile, JsonRoute

NOT_JSON = "Content-Type must be application/json"
NOR_LINES = f"{NOT_JSON} or application/x-ndjson"
LABELS: tuple[str | bytes | None, ...] = (
    None,
    "",
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/msgpack",
    "application/json-seq",
    "*/*",
    b"application/json\xff",
)


def broken(route: JsonRoute) -> Iterator[Hostile]:
    """What no route takes."""
    valid, first = route.valid, route.first
    twice = "{" + first + "," + first + route.rest + "}"
    escaped = f'"\\u{ord(first[1]):04x}{first[2:]}'
    top = "#/" + first.split('"')[1]
    for fault, content, pointer in (
        ("empty", b"", "#"),
        ("spaces", " \n", "#"),
        ("cut off", valid[:-1], "#"),
        ("garbage behind", valid + "x", "#"),
        ("two values", valid + valid, "#"),
        ("array", "[" + valid + "]", "#"),
        ("null", "null", "#"),
        ("string", '"' + "x" * 100 + '"', "#"),
        ("trailing comma", valid[:-1] + ",}", "#"),
        ("single quotes", valid.replace('"', "'"), "#"),
        ("comment", "/**/" + valid, "#"),
        ("byte order mark", b"\xef\xbb\xbf" + valid.encode(), "#"),
        ("utf-16", valid.encode("utf-16"), "#"),
        ("utf-32", valid.encode("utf-32-le"), "#"),
        ("not utf-8", valid[:-1].encode() + b',"\xff":1}', None),
        ("nul byte", valid.replace('":', '\0":', 1), "#"),
        ("nul at the end", valid + "\0", "#"),
        ("control character", valid.replace('":', '\n":', 1), "#"),
        ("NaN", valid[:-1] + ',"x":NaN}', None),
        ("nested", valid[:-1] + ',"x":' + "[" * 30_000 + "]" * 30_000 + "}", None),
        ("nested objects", '{"a":' * 10_000, None),
        ("duplicate key", twice, top),
        ("escaped duplicate key", twice.replace(first, escaped, 1), top),
        ("unknown member", valid[:-1] + ',"nope":1}', "#/nope"),
        ("unknown member __class__", valid[:-1] + ',"__class__":{}}', "#/__class__"),
        ("unknown member with NUL", valid[:-1] + ',"\\u0000":1}', "#"),
        ("unknown member with a lone surrogate", valid[:-1] + ',"\\ud800":1}', "#"),
        ("unknown member with a slash", valid[:-1] + ',"a/b":1}', "#"),
        ("unknown member, long", valid[:-1] + ',"' + "k" * 50_000 + '":1}', "#"),
    ):
        yield route.hostile(fault, content, pointer=pointer)


def mislabelled(route: JsonRoute) -> Iterator[Hostile]:
    """A good body under a bad label, too much of it, or a wrong method."""
    not_json = NOR_LINES if route is ENROL else NOT_JSON
    for label in LABELS:
        headers: Headers = () if label is None else (("content-type", label),)
        yield _unsupported(route, f"type {label!r}", headers, not_json)
    for charset in ("utf-16", "latin-1", "utf-7"):
        label = f"application/json; charset={charset}"
        yield _unsupported(route, f"charset {charset}", (("content-type", label),), NOT_JSON)
    for coding in ("gzip", "br", "x"):
        headers = (("content-type", "application/json"), ("content-encoding", coding))
        yield _unsupported(route, f"coding {coding}", headers, "Content-Encoding is not supported")
    padded = route.valid + " " * (route.bytes_max + 1 - len(route.valid))
    yield route.hostile(
        "too large", padded, status=413, detail="Request body too large", pointer=""
    )
    for method in sorted({"PUT", "POST", "PATCH", "DELETE", "TRACE"} - set(route.allow)):
        yield Hostile(
            name=f"{route.name}: {method}",
            method=method,
            path=route.path,
            who=route.who,
            content=route.valid.encode(),
            status=405,
            detail="Method not allowed",
            pointer="",
            allow=frozenset({*route.allow, "OPTIONS"}),
        )


def _unsupported(route: JsonRoute, fault: str, headers: Headers, detail: str) -> Hostile:
    body = gzip.compress(route.valid.encode()) if "gzip" in fault else route.valid
    return route.hostile(fault, body, headers=headers, status=415, detail=detail, pointer="")
