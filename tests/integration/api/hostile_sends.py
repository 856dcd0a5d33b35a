"""Members of a send that are wrong, in a single send and in a batch."""

from collections.abc import Iterator

from tests.integration.api.hostile import BATCH, SEND, STRANGER, Hostile

WIDE = "\U0001f600"
WRONG: tuple[tuple[str, str], ...] = (
    ("title", "null"),
    ("title", "5"),
    ("title", '""'),
    ("title", '["Hi"]'),
    ("title", '"' + "x" * 257 + '"'),
    ("title", '"' + "\\ud83d\\ude00" * 257 + '"'),
    ("title", '"a\\u0000b"'),
    ("body", "null"),
    ("body", "{}"),
    ("body", '"' + WIDE * 4_097 + '"'),
    ("body", '"\\u0000"'),
    ("ttl", "-1"),
    ("ttl", "2419201"),
    ("ttl", "1.0"),
    ("ttl", "-0.0"),
    ("ttl", "1e3"),
    ("ttl", "1e999"),
    ("ttl", "9" * 5_000),
    ("ttl", '"60"'),
    ("ttl", "true"),
    ("ttl", "null"),
    ("ttl", "{}"),
    ("data", "null"),
    ("data", "[]"),
    ("data", '"{}"'),
    ("data", "5"),
    ("user_id", "null"),
    ("user_id", "5"),
    ("user_id", '""'),
    ("user_id", '"{$USER}"'),
    ("user_id", '"urn:uuid:$USER"'),
    ("user_id", '"$USER\\n"'),
    ("user_id", '" $USER"'),
    ("user_id", '"$USER$USER"'),
    ("user_id", '["$USER"]'),
    ("silent", "1"),
    ("silent", '"true"'),
    ("badge", "true"),
    ("badge", "-1"),
    ("badge", "99999999999999999999"),
    ("priority", '"urgent"'),
    ("priority", "null"),
    ("localized", '{"en":{"title":"t","body":"b","x":1}}'),
    ("localized", '{"not a tag":{"title":"t","body":"b"}}'),
    ("send_at", "5"),
    ("send_at", '"tomorrow"'),
    ("platforms", "[]"),
)
PLACED: tuple[tuple[str, str, str | None], ...] = (
    ("data", '{"a":1,"a":2}', "/a"),
    ("data", '{"a":{"b":[{"c":1,"c":2}]}}', "/a/b/0/c"),
    ("data", '{"a b":1,"a b":2}', ""),
    ("data", '{"a":"\\u0000"}', "/a"),
    ("data", '{"\\u0000":1}', ""),
    ("data", '{"a":"\\ud800"}', None),
    ("data", '{"a":' + "[" * 16 + "]" * 16 + "}", ""),
    ("data", '{"a":' + "[" * 70 + "]" * 70 + "}", None),
    ("data", '{"a":01}', None),
    ("localized", '{"en":{"title":"t","body":"b"},"en":{"title":"t","body":"b"}}', "/en"),
    ("localized", '{"en":{"title":"t","body":"b","body":"b"}}', "/en/body"),
)


def members() -> Iterator[Hostile]:
    """A member of a wrong type or beyond its limit, in a single send and in a batch."""
    for name, text in WRONG:
        single = changed(name, text)
        yield SEND.hostile(f"{name} {text[:30]}", single, pointer=f"#/{name}")
        batch = '{"notifications":[' + SEND.valid + "," + single + "]}"
        pointer = f"#/notifications/1/{name}"
        yield BATCH.hostile(f"{name} {text[:30]}", batch, pointer=pointer)
    for name, text, place in PLACED:
        where = None if place is None else f"#/{name}{place}"
        yield SEND.hostile(f"{name} {text[:40]}", changed(name, text), pointer=where)
    large = changed("data", '{"a":"' + "x" * 4_089 + '"}')
    yield SEND.hostile("too much data", large, detail="Data payload too large", pointer="#/data")
    stranger = changed("user_id", f'"{STRANGER}"')
    yield SEND.hostile("a stranger", stranger, detail="User not enrolled", pointer="#/user_id")


def changed(name: str, text: str) -> str:
    """A send with one member's JSON text replaced or added."""
    given = {"user_id": '"$USER"', "title": '"Hi"', "body": '"There"'} | {name: text}
    return "{" + ",".join(f'"{key}":{value}' for key, value in given.items()) + "}"
