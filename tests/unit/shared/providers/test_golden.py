"""Every optional field at every provider, as CONTRACT §7 has it: one golden file for each.

`make golden` writes the files anew; read the difference before you commit it.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.domain.options import LocKey, Wording
from shared.providers.apns_pool import headers_of
from shared.providers.webpush import build_headers
from tests.unit.shared.providers.builders import NOW, make_device, make_notification
from tests.unit.shared.providers.built import (
    apns_request,
    decoded,
    fcm,
    pushy_body,
    web_plaintext,
)

FOLDER = Path(__file__).parent / "golden"
WRITES = os.environ.get("GOLDEN") == "write"
ENDPOINT = "https://updates.push.services.mozilla.com/wpush/v2/x"

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "data": {"data": '{"route":"/schedule","n":1,"deep":{"a":[1,2]},"from":"x"}'},
    "priority_normal": {"priority": "normal"},
    "priority_low": {"priority": "low"},
    "ttl_0": {"ttl_seconds": 0},
    "collapse_key": {"collapse_key": "score"},
    "collapse_key_long": {"collapse_key": "spielstand-ä" * 10},
    "silent": {"silent": True, "badge": 3, "sound": "ping", "data": '{"sync":true}'},
    "badge": {"badge": 3},
    "badge_0": {"badge": 0},
    "sound": {"sound": "ping.aiff"},
    "image": {"image": "https://cdn.example.com/a.png"},
    "click_action": {"click_action": "OPEN_SCHEDULE"},
    "click_action_https": {"click_action": "https://example.com/schedule"},
    "category": {"category": "SHIFT"},
    "thread_id": {"thread_id": "shifts"},
    "mutable_content": {"mutable_content": True},
    "title_loc": {"title_loc": LocKey("SHIFT_TITLE", ("30",))},
    "body_loc": {"body_loc": LocKey("SHIFT_BODY")},
    "localized": {"localized": {"de": Wording("Hallo", "Welt"), "zh": Wording("你好", "世界")}},
    "overrides": {
        "overrides": {
            "apns": '{"aps":{"interruption-level":"time-sensitive"},"extra":1}',
            "fcm": '{"android":{"notification":{"channel_id":"shifts","tag":null}},'
            '"apns":{"payload":{"aps":{"relevance-score":1}}},'
            '"webpush":{"notification":{"renotify":true}},"fcm_options":{"analytics_label":"a"}}',
            "webpush": '{"notification":{"body":null,"icon":"/i.png"}}',
            "pushy": '{"data":{"message":"new"},"notification":{"interruption-level":"active"}}',
        }
    },
    "on_unknown_suppress": {"on_unknown": "suppress"},
}


def device(**changes: Any) -> Device:
    return make_device(language="de-AT", **changes)


def apns(notification: Notification) -> Any:
    request = apns_request(notification, device())
    return {"headers": headers_of(request), "payload": decoded(request.message)}


def fcm_everywhere(notification: Notification) -> Any:
    return {
        platform: fcm(notification, device(provider="fcm", platform=platform, token="token-1"))
        for platform in ("android", "ios", "web")
    }


def webpush(notification: Notification) -> Any:
    text = web_plaintext(notification, device(platform="web", provider="webpush"))
    return {"headers": build_headers(notification, ENDPOINT, NOW), "payload": json.loads(text)}


def pushy(notification: Notification) -> Any:
    return decoded(pushy_body(notification, device(provider="pushy", token="token-1")))


PROVIDERS = {"apns": apns, "fcm": fcm_everywhere, "webpush": webpush, "pushy": pushy}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_option_goes_out_as_in_its_golden_file(provider: str, option: str) -> None:
    built = PROVIDERS[provider](make_notification(**OPTIONS[option]))
    file = FOLDER / provider / f"{option}.json"
    if WRITES:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(built, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert built == json.loads(file.read_text(encoding="utf-8"))


def test_every_golden_file_has_its_option() -> None:
    files = {file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.json")}
    assert files == {f"{provider}/{option}.json" for provider in PROVIDERS for option in OPTIONS}
