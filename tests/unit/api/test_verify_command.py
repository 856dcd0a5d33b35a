"""`fanfare receipts verify`: what is valid, and in words what is not."""

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from api.cli import cli
from shared.clock import utc_now

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = b'{"type":"push.receipts","data":{"receipts":[{"seq":1041},{"seq":1042}]}}'
# Of the specification's own implementations.
KNOWN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KNOWN_FIELDS = """\
Webhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek
Webhook-Timestamp: 1614265330
Webhook-Signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
"""
Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """Runs the command on a body and header fields; the exit status and what it said."""

    def run(
        body: bytes = BODY, fields: str | None = None, *options: str, secret: str | None = SECRET
    ) -> tuple[int, str]:
        (tmp_path / "headers").write_text(signed(body) if fields is None else fields)
        arguments = ["receipts", "verify", "--headers", str(tmp_path / "headers"), *options]
        done = CliRunner().invoke(cli, arguments, input=body, env={"WEBHOOK_SECRET": secret})
        return done.exit_code, done.output.rstrip("\n")

    return run


def signed(body: bytes, *secrets: str, age: timedelta = timedelta()) -> str:
    at = utc_now() - age
    signatures = [Webhook(s).sign("msg_1", at, body.decode()) for s in secrets or (SECRET,)]
    return (
        f"webhook-id: msg_1\nwebhook-timestamp: {int(at.timestamp())}\n"
        f"webhook-signature: {' '.join(signatures)}\n"
    )


def test_a_call_is_valid(verify: Verify) -> None:
    assert verify() == (0, "valid: push.receipts, 2 receipts, seq 1041 to 1042")


def test_a_call_is_valid_during_a_rotation(verify: Verify) -> None:
    code, _ = verify(BODY, signed(BODY, OTHER, SECRET))

    assert code == 0


def test_a_captured_request_serves_as_header_fields(verify: Verify) -> None:
    fields = "POST /hooks HTTP/1.1\r\nHost: x:8443\r\n" + signed(BODY).replace("\n", "\r\n")

    assert verify(BODY, fields)[0] == 0


def test_a_vector_of_the_specification_is_valid(verify: Verify) -> None:
    options = ("--tolerance", "1000000000")

    assert verify(b'{"test": 2432232314}', KNOWN_FIELDS, *options, secret=KNOWN_SECRET) == (
        0,
        "valid: ?",
    )


def test_the_secret_may_be_in_a_file(verify: Verify, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")

    code, _ = verify(BODY, None, "--secret-file", str(tmp_path / "secret"), secret=None)

    assert code == 0


TEN_MINUTES = timedelta(minutes=10)
Tamper = Callable[[str], str]


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda _: signed(BODY, OTHER), "no signature fits: another secret, or the body is not"),
        (lambda _: signed(BODY.replace(b":", b": ")), "no signature fits"),
        (lambda _: signed(BODY, age=TEN_MINUTES), "s ago, more than is tolerated"),
        (lambda _: signed(BODY, age=-TEN_MINUTES), "s ahead, more than is tolerated"),
        (lambda _: "", "missing: webhook-id, webhook-timestamp, webhook-signature"),
        (lambda fields: fields.replace("webhook-id", "x"), "missing: webhook-id"),
        (lambda fields: fields.replace("timestamp: ", "timestamp: x"), "no number of seconds"),
        (lambda fields: fields.replace("timestamp: ", "timestamp: 99999"), "no number of seconds"),
        (lambda fields: fields.replace("v1,", "v2,"), "no signature of version v1"),
        (lambda fields: fields.replace("v1,", "v1,€"), "no signature fits"),
    ],
)
def test_a_call_is_not_valid(verify: Verify, tamper: Tamper, said: str) -> None:
    code, out = verify(BODY, tamper(signed(BODY)))

    assert code == 1
    assert out.startswith("not valid: ")
    assert said in out


def test_a_line_break_at_the_end_is_told_apart(verify: Verify) -> None:
    code, out = verify(BODY + b"\n", signed(BODY))

    assert (code, out.partition(":")[0]) == (1, "not valid")
    assert "valid without the line break at its end" in out


def test_what_is_no_text_is_not_valid(verify: Verify) -> None:
    assert verify(b"\xff", signed(b"x"))[0] == 1


@pytest.mark.parametrize(
    "secret", [None, "", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_€"]
)
def test_without_a_good_secret_nothing_is_checked(verify: Verify, secret: str | None) -> None:
    code, out = verify(secret=secret)

    assert code == 2
    assert "no secret in --secret-file or WEBHOOK_SECRET" in " ".join(out.split())
    assert not secret or secret.removeprefix("whsec_") not in out or secret == "whsec_"
