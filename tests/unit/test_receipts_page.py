"""The code of docs/receipts.md verifies what we sign, with both languages' public libraries."""

import base64
import json
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.clock import utc_now
from shared.domain.apps import WebhookSecret
from shared.outbound.webhooks import sign
from tests.node import node

PAGE = Path(__file__).resolve().parents[2] / "docs" / "receipts.md"
EXAMPLES = PAGE.parent / "examples"
BODY = '{"type":"push.receipts","data":{"receipts":[{"seq":1,"reason":"é"}]}}'.encode()
RECEIPTS = [{"seq": 1, "reason": "é"}]
OLD, NEW, OTHER = ("whsec_" + base64.b64encode(c * 32).decode() for c in (b"o", b"n", b"x"))
HOUR = timedelta(hours=1)
Verify = Callable[[str, bytes, dict[str, str]], Any]
_CALL = """
import { readFileSync } from "node:fs";
const { body, headers } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(receiptsOf(Buffer.from(body, "base64"), headers)));
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def in_python(secret: str, body: bytes, headers: dict[str, str]) -> Any:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FANFARE_WEBHOOK_SECRET", secret)
        exec(code, names)
    return names["receipts_of"](body, headers)


def in_node(secret: str, body: bytes, headers: dict[str, str]) -> Any:
    if not (EXAMPLES / "node_modules/standardwebhooks/package.json").exists():
        pytest.skip("there is no standardwebhooks: `npm ci` in docs/examples installs it")
    (code,) = blocks("js")
    done = subprocess.run(
        [node(), "--input-type=module", "--eval", code + _CALL],
        input=json.dumps({"body": base64.b64encode(body).decode(), "headers": headers}),
        env={"FANFARE_WEBHOOK_SECRET": secret},
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return json.loads(done.stdout)


@pytest.fixture(params=[in_python, in_node], ids=["python", "node"])
def verify(request: pytest.FixtureRequest) -> Verify:
    found: Verify = request.param
    return found


def signed(*, old_expires_in: timedelta, age: timedelta = timedelta()) -> dict[str, str]:
    """The header fields of a call during a rotation."""
    now = utc_now()
    secrets = (
        WebhookSecret(secret=NEW),
        WebhookSecret(secret=OLD, expires_at=now + old_expires_in),
    )
    return sign(secrets, "msg_1", BODY, now - age)


def test_the_new_secret_verifies_during_a_rotation(verify: Verify) -> None:
    assert verify(NEW, BODY, signed(old_expires_in=HOUR)) == RECEIPTS


def test_the_old_secret_verifies_during_a_rotation(verify: Verify) -> None:
    assert verify(OLD, BODY, signed(old_expires_in=HOUR)) == RECEIPTS


def test_the_old_secret_verifies_no_more_afterwards(verify: Verify) -> None:
    assert verify(OLD, BODY, signed(old_expires_in=-HOUR)) is None


def test_another_secret_does_not_verify(verify: Verify) -> None:
    assert verify(OTHER, BODY, signed(old_expires_in=HOUR)) is None


def test_another_body_does_not_verify(verify: Verify) -> None:
    assert verify(NEW, BODY.replace(b"1", b"2"), signed(old_expires_in=HOUR)) is None


def test_an_old_call_does_not_verify(verify: Verify) -> None:
    headers = signed(old_expires_in=HOUR, age=timedelta(minutes=6))

    assert verify(NEW, BODY, headers) is None


def test_garbage_does_not_verify(verify: Verify) -> None:
    headers = {"webhook-id": "a", "webhook-timestamp": "x", "webhook-signature": "v1"}

    assert verify(NEW, b"\xff", headers) is None
    assert verify(NEW, BODY, {}) is None


def test_every_json_of_the_page_is_json() -> None:
    for block in blocks("json"):
        json.loads(block)
