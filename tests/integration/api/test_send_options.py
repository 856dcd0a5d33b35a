"""The optional fields of a send at the front door: their limits, and where a fault is."""

import json
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared import ids
from shared.domain.options import PLAIN, LocKey, Options, Wording
from shared.storage.sends import SendRepository
from tests.front_door import Api
from tests.integration.api.tenant import Body, Tenant, a_tenant, pointers


@pytest.fixture(scope="module")
async def tenant(api: Api) -> Tenant:
    return await a_tenant(api)


def languages(count: int) -> Body:
    return {f"l{chr(97 + i)}": {"title": "T", "body": "B"} for i in range(count)}


def localized_of(size: int) -> Body:
    """Wordings that are `size` bytes as compact JSON, none of them too long by itself."""
    wordings = {tag: {"title": "T", "body": "b" * 4_000} for tag in ("de", "fr", "es", "it")}
    wordings["zh"] = {"title": "T", "body": ""}
    left = size - len(json.dumps(wordings, separators=(",", ":")))
    wordings["zh"]["body"] = "b" * left
    return wordings


def patch_of(size: int, key: str = "x") -> Body:
    return {key: "b" * (size - len(f'{{"{key}":""}}'))}


def an_image(length: int, scheme: str = "https://") -> str:
    return scheme + "a" * (length - len(scheme))


SMILE = "\U0001f600"
TAKEN: list[Body] = [
    {"badge": 0},
    {"badge": 2**31 - 2},
    {"badge": 2**31 - 1},
    {"badge": None},
    *({"priority": priority} for priority in ("high", "normal", "low")),
    {"collapse_key": "k"},
    {"collapse_key": SMILE * 255},
    {"collapse_key": SMILE * 256},
    {"silent": True},
    *({name: "x"} for name in ("sound", "category", "thread_id")),
    *({name: SMILE * 128} for name in ("sound", "category", "thread_id")),
    {"image": an_image(2_047)},
    {"image": an_image(2_048)},
    {"click_action": "OPEN"},
    {"click_action": "a" * 2_048},
    {"mutable_content": True},
    {"title_loc": {"key": "K"}},
    {"title_loc": {"key": "K" * 256, "args": ["a" * 256] * 15}},
    {"body_loc": {"key": "K" * 256, "args": ["a" * 256] * 16}},
    {"body_loc": {"key": "K", "args": [""]}},
    {"localized": {}},
    {"localized": languages(19)},
    {"localized": languages(20)},
    {"localized": {"zh-Hant-TW": {"title": SMILE * 256, "body": ""}}},
    {"localized": localized_of(16_383)},
    {"localized": localized_of(16_384)},
    *({"overrides": {p: patch_of(4_095)}} for p in ("apns", "fcm", "webpush", "pushy")),
    *({"overrides": {p: patch_of(4_096)}} for p in ("apns", "fcm", "webpush", "pushy")),
    {"overrides": {"apns": {}}},
    {"overrides": {}},
    {"overrides": None},
    {"overrides": {"apns": {"x": 2**64, "y": -(2**70), "z": 1.5e300}}},
    {"platforms": ["ios", "android", "web"]},
    {"platforms": ["ios", "ios"]},
    {"platforms": None},
    {"oversize": "reject"},
    {"on_unknown": "suppress"},
    {"title": SMILE * 256, "body": SMILE * 4_096},
    {"ttl": 0},
    {"ttl": 2_419_200},
]


@pytest.mark.parametrize("option", TAKEN, ids=lambda option: json.dumps(option)[:60])
async def test_an_option_within_its_limit_is_taken(tenant: Tenant, option: Body) -> None:
    answer = await tenant.send(**option)
    assert answer.status_code == 200, answer.text


NO_OBJECTS: list[Any] = [None, [], "x", 1, True]
REFUSED: list[tuple[Body, str]] = [
    ({"badge": -1}, "/badge"),
    ({"badge": 2**31}, "/badge"),
    ({"badge": 2**80}, "/badge"),
    ({"badge": "1"}, "/badge"),
    ({"badge": 1.5}, "/badge"),
    ({"badge": True}, "/badge"),
    ({"priority": "urgent"}, "/priority"),
    ({"priority": "HIGH"}, "/priority"),
    ({"priority": None}, "/priority"),
    ({"priority": 1}, "/priority"),
    ({"collapse_key": ""}, "/collapse_key"),
    ({"collapse_key": "k" * 257}, "/collapse_key"),
    ({"collapse_key": 7}, "/collapse_key"),
    ({"silent": "yes"}, "/silent"),
    ({"silent": 1}, "/silent"),
    ({"silent": None}, "/silent"),
    *(({name: "x" * 129}, f"/{name}") for name in ("sound", "category", "thread_id")),
    *(({name: ""}, f"/{name}") for name in ("sound", "category", "thread_id")),
    ({"image": an_image(2_049)}, "/image"),
    ({"image": an_image(40, "http://")}, "/image"),
    ({"image": "HTTPS://a"}, "/image"),
    ({"image": "https://"}, "/image"),
    ({"image": "https://a b"}, "/image"),
    ({"image": "https://a\n"}, "/image"),
    ({"image": "data:image/png;base64,AA"}, "/image"),
    ({"click_action": ""}, "/click_action"),
    ({"click_action": "a" * 2_049}, "/click_action"),
    ({"mutable_content": 0}, "/mutable_content"),
    ({"title_loc": {}}, "/title_loc/key"),
    ({"title_loc": "K"}, "/title_loc"),
    ({"title_loc": {"key": ""}}, "/title_loc/key"),
    ({"title_loc": {"key": "K" * 257}}, "/title_loc/key"),
    ({"title_loc": {"key": "K", "args": ["a"] * 17}}, "/title_loc/args"),
    ({"body_loc": {"key": "K", "args": ["a" * 257]}}, "/body_loc/args/0"),
    ({"body_loc": {"key": "K", "args": ["a", 1]}}, "/body_loc/args/1"),
    ({"body_loc": {"key": "K", "more": 1}}, "/body_loc/more"),
    ({"localized": None}, "/localized"),
    ({"localized": []}, "/localized"),
    ({"localized": languages(21)}, "/localized"),
    ({"localized": localized_of(16_385)}, "/localized"),
    ({"localized": {"de-AT": {"title": "T", "body": ""}, "DE-at": {"title": "T", "body": ""}}},
     "/localized"),
    ({"localized": {"x": {"title": "T", "body": "B"}}}, "/localized"),
    ({"localized": {"de_AT": {"title": "T", "body": "B"}}}, "/localized"),
    ({"localized": {"de": {"title": "", "body": "B"}}}, "/localized"),
    ({"localized": {"de": {"title": "T", "body": "b" * 4_097}}}, "/localized"),
    ({"localized": {"de": {"title": "T"}}}, "/localized"),
    ({"localized": {"de": "T"}}, "/localized"),
    *(({"overrides": {p: patch_of(4_097)}}, f"/overrides/{p}")
      for p in ("apns", "fcm", "webpush", "pushy")),
    ({"overrides": {"sms": {}}}, "/overrides/sms"),
    ({"overrides": []}, "/overrides"),
    *(({"overrides": {"apns": v}}, "/overrides/apns") for v in NO_OBJECTS),
    ({"overrides": {"apns": {"notification_id": "x"}}}, "/overrides/apns/notification_id"),
    ({"overrides": {"fcm": {"apns": {"headers": {"apns-topic": "x"}}}}},
     "/overrides/fcm/apns/headers/apns-topic"),
    ({"platforms": []}, "/platforms"),
    ({"platforms": ["ios", "windows"]}, "/platforms/1"),
    ({"platforms": ["iOS"]}, "/platforms/0"),
    ({"platforms": "ios"}, "/platforms"),
    ({"platforms": ["ios", "android", "web", "ios"]}, "/platforms"),
    ({"oversize": "truncate"}, "/oversize"),
    ({"oversize": None}, "/oversize"),
    ({"on_unknown": ""}, "/on_unknown"),
    ({"title": ""}, "/title"),
    ({"title": SMILE * 257}, "/title"),
    ({"body": SMILE * 4_097}, "/body"),
    ({"ttl": -1}, "/ttl"),
    ({"ttl": 2_419_201}, "/ttl"),
    ({"colour": "red"}, "/colour"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "pointer"), REFUSED, ids=lambda part: json.dumps(part)[:60])
async def test_an_option_beyond_its_limit_is_refused_by_name(
    tenant: Tenant, option: Body, pointer: str
) -> None:
    assert pointers(await tenant.send(**option)) == [f"#{pointer}"]
    assert pointers(await tenant.batch({}, option)) == [f"#/notifications/1{pointer}"]


@pytest.mark.parametrize("text", ["1e400", "-1e400", '{"a":[1e999]}', "1" * 4_500, "NaN", "01"])
async def test_an_override_holds_only_numbers_that_can_be_written(
    tenant: Tenant, text: str
) -> None:
    answer = await tenant.send_raw("overrides", f'{{"fcm": {{"x": {text}}}}}')
    assert pointers(answer)[0] in {"#", "#/overrides/fcm"}


async def test_options_are_recorded_as_given(tenant: Tenant) -> None:
    given = Options(
        priority="low",
        collapse_key="c",
        silent=True,
        badge=3,
        sound="s",
        image="https://a/i.png",
        click_action="OPEN",
        category="cat",
        thread_id="th",
        mutable_content=True,
        title_loc=LocKey("T", ("1", "2")),
        body_loc=LocKey("B"),
        localized={"zh-hant": Wording("T", "B")},
        overrides={"apns": '{"a":{"b":null},"n":1.10}', "pushy": "{}"},
        platforms=("web", "ios"),
        oversize="reject",
        on_unknown="suppress",
    )
    wire = msgspec.to_builtins(given)
    wire["localized"] = {"zh-Hant": {"title": "T", "body": "B"}}
    wire["overrides"] = {"apns": {"a": {"b": None}, "n": msgspec.Raw(b"1.10")}, "pushy": {}}
    wire["platforms"] = ["web", "ios", "web"]
    bodies = [tenant.body(**wire), tenant.body()]

    answers = [await tenant.post_text("", msgspec.json.encode(b).decode()) for b in bodies]

    stored = []
    for answer in answers:
        send_id = ids.send_id_of(UUID(answer.json()["notification_id"]))
        send = await SendRepository(tenant.api.database).get(tenant.app_id, send_id)
        assert send is not None
        stored.append(send.contents[0].options)
    assert stored == [given, PLAIN]
