"""Members of the other routes' bodies that are wrong."""

from collections.abc import Iterator

from tests.integration.api.hostile import (
    APP,
    APPLE,
    BATCH,
    BULK,
    CONFIG,
    CONTENT,
    CREDENTIALS,
    ENROL,
    GOOGLE,
    REGISTER,
    SEND,
    STRANGER,
    Hostile,
    JsonRoute,
)
from tests.integration.api.hostile_sends import WIDE, changed


def registration(**changes: str) -> str:
    given = {"app_id": '"$APP"', "platform": '"android"', "push_token": '"token"'} | changes
    return "{" + ",".join(f'"{key}":{value}' for key, value in given.items()) + "}"


IDS = f'"{STRANGER}"'
ENTRIES: tuple[tuple[JsonRoute, str, str, str | None], ...] = (
    (BULK, "no users", '{"user_ids":[]' + CONTENT + "}", "#/user_ids"),
    (BULK, "users null", '{"user_ids":null' + CONTENT + "}", "#/user_ids"),
    (BULK, "one user", '{"user_ids":"$USER"' + CONTENT + "}", "#/user_ids"),
    (BULK, "a number", '{"user_ids":["$USER",5]' + CONTENT + "}", "#/user_ids/1"),
    (BULK, "501", '{"user_ids":[' + ",".join([IDS] * 501) + "]" + CONTENT + "}", "#/user_ids"),
    (BATCH, "none", '{"notifications":[]}', "#/notifications"),
    (BATCH, "an object", '{"notifications":' + SEND.valid + "}", "#/notifications"),
    (BATCH, "a null", '{"notifications":[null]}', "#/notifications/0"),
    (
        BATCH,
        "501",
        '{"notifications":[' + ",".join([SEND.valid] * 501) + "]}",
        "#/notifications",
    ),
    (
        BATCH,
        "a duplicate in a large one",
        '{"notifications":['
        + SEND.valid
        + ","
        + SEND.valid[:-1]
        + ',"title":""}]}'
        + " " * 2_000_000,
        "#/notifications/1/title",
    ),
    (BATCH, "large, cut off", '{"notifications":[' + SEND.valid + " " * 2_000_000, "#"),
    (BATCH, "large, of numbers", '{"notifications":[' + "1," * 1_000_000 + "1]}", None),
    (BATCH, "large, of arrays", '{"notifications":[' + "[]," * 1_000_000 + "[]]}", None),
    (
        BATCH,
        "a large entry",
        '{"notifications":[' + changed("data", '{"a":[' + "{}," * 1_000_000 + "1]}") + "]}",
        "#/notifications/0",
    ),
    (REGISTER, "app_id", registration(app_id='"$APP}"'), "#/app_id"),
    (REGISTER, "app_id null", registration(app_id="null"), "#/app_id"),
    (REGISTER, "platform", registration(platform='"symbian"'), "#/platform"),
    (REGISTER, "platform case", registration(platform='"IOS"'), "#/platform"),
    (REGISTER, "no token", registration(push_token='""'), "#/push_token"),
    (REGISTER, "token null", registration(push_token="null"), "#/push_token"),
    (REGISTER, "token number", registration(push_token="5"), "#/push_token"),
    (REGISTER, "token array", registration(push_token="[]"), "#/push_token"),
    (REGISTER, "token NUL", registration(push_token='"a\\u0000"'), "#/push_token"),
    (REGISTER, "token spaces", registration(push_token='"a b"'), "#/push_token"),
    (REGISTER, "token wide", registration(push_token=f'"{WIDE}"'), "#/push_token"),
    (REGISTER, "long token", registration(push_token='"' + "x" * 4_097 + '"'), "#/push_token"),
    (REGISTER, "subscription", registration(push_token='{"endpoint":"x"}'), None),
    (
        REGISTER,
        "duplicate in a subscription",
        registration(push_token='{"endpoint":"x","endpoint":"y","keys":{"p256dh":"a","auth":"b"}}'),
        "#/push_token/endpoint",
    ),
    (REGISTER, "provider", registration(provider='"email"'), "#/provider"),
    (REGISTER, "language", registration(language='"en_US"'), "#/language"),
    (REGISTER, "language newline", registration(language='"en\\n"'), "#/language"),
    (REGISTER, "timezone", registration(timezone='"../etc"'), "#/timezone"),
    (REGISTER, "version", registration(app_version='"' + "1" * 65 + '"'), "#/app_version"),
    (CONFIG, "bool for int", '{"daily_quota":true}', "#/daily_quota"),
    (CONFIG, "int for bool", '{"enabled":0}', "#/enabled"),
    (CONFIG, "text for bool", '{"enabled":"false"}', "#/enabled"),
    (CONFIG, "null for bool", '{"enabled":null}', "#/enabled"),
    (CONFIG, "negative", '{"daily_quota":-1}', "#/daily_quota"),
    (CONFIG, "negative zero", '{"daily_quota":-0.0}', "#/daily_quota"),
    (CONFIG, "n+1", '{"daily_quota":1000000001}', "#/daily_quota"),
    (CONFIG, "huge", '{"daily_quota":' + "9" * 5_000 + "}", "#/daily_quota"),
    (CONFIG, "exponent", '{"daily_quota":1e999}', "#/daily_quota"),
    (CONFIG, "receipts", '{"receipts":"some"}', "#/receipts"),
    (CONFIG, "http", '{"webhook_url":"http://example.com/"}', "#/webhook_url"),
    (CONFIG, "script", '{"webhook_url":"javascript:alert(1)"}', "#/webhook_url"),
    (CONFIG, "NUL", '{"webhook_url":"https://example.com/\\u0000"}', "#/webhook_url"),
    (CONFIG, "a secret of one's own", '{"webhook_secret":"whsec_x"}', "#/webhook_secret"),
    (APP, "no name", "{}", "#/name"),
    (APP, "empty name", '{"name":""}', "#/name"),
    (APP, "name n+1", '{"name":"' + "n" * 201 + '"}', "#/name"),
    (APP, "name NUL", '{"name":"a\\u0000"}', "#/name"),
    (APP, "name number", '{"name":5}', "#/name"),
    (APP, "tenant", '{"name":"n","tenant_id":"a b"}', "#/tenant_id"),
    (APP, "tenant newline", '{"name":"n","tenant_id":"a\\n"}', "#/tenant_id"),
    (APP, "tenant n+1", '{"name":"n","tenant_id":"' + "t" * 129 + '"}', "#/tenant_id"),
    (ENROL, "none", '{"user_ids":[]}', "#/user_ids"),
    (ENROL, "a name", f'{{"user_ids":[{IDS},"joe"]}}', "#/user_ids/1"),
    (ENROL, "a number", f'{{"user_ids":[{IDS},5]}}', "#/user_ids/1"),
    (ENROL, "10,001", '{"user_ids":[' + ",".join([IDS] * 10_001) + "]}", "#/user_ids"),
    (CREDENTIALS[0], "no key", "{" + APPLE + "}", "#/private_key"),
    (
        CREDENTIALS[0],
        "environment",
        "{" + APPLE + ',"environment":"beta"}',
        "#/environment",
    ),
    (CREDENTIALS[0], "topic", "{" + APPLE.replace("t.t", "t/t") + "}", "#/topic"),
    (
        CREDENTIALS[1],
        "duplicate in an ignored member",
        '{"service_account":{' + GOOGLE + ',"x":{"a":1,"a":2}}}',
        "#/service_account/x/a",
    ),
    (
        CREDENTIALS[1],
        "NUL in an ignored member",
        '{"service_account":{' + GOOGLE + ',"x":"\\u0000"}}',
        "#/service_account/x",
    ),
    (
        CREDENTIALS[1],
        "no key",
        '{"service_account":{' + GOOGLE + "}}",
        "#/service_account/private_key",
    ),
    (CREDENTIALS[2], "subject", '{"subject":"tel:1"}', "#/subject"),
    (CREDENTIALS[2], "subject in brackets", '{"subject":"mailto:<a@b.example>"}', "#/subject"),
    (CREDENTIALS[2], "subject of this machine", '{"subject":"mailto:a@localhost"}', "#/subject"),
    (
        CREDENTIALS[2],
        "https of this machine",
        '{"subject":"https://localhost"}',
        "#/subject",
    ),
    (CREDENTIALS[2], "subject without a host", '{"subject":"https://"}', "#/subject"),
    (CREDENTIALS[2], "subject with two @", '{"subject":"mailto:a@b@c.example"}', "#/subject"),
    (CREDENTIALS[3], "space", '{"api_key":"a b"}', "#/api_key"),
    (CREDENTIALS[3], "n+1", '{"api_key":"' + "k" * 321 + '"}', "#/api_key"),
)


def entries() -> Iterator[Hostile]:
    """Faults of the other routes' members."""
    for route, fault, content, pointer in ENTRIES:
        yield route.hostile(fault, content, pointer=pointer)
