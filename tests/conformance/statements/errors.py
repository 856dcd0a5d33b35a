"""What the seed's error table says, for each route that a row applies to."""

from collections.abc import Iterable, Iterator

from tests.conformance.seed import Section, Statement
from tests.conformance.statements.sends import SENDS

CONFIG = ("config.patch", "config.get")
ABOUT_AN_APP = (*CONFIG, "devices.list")
ROUTES = (*ABOUT_AN_APP, "register", "unregister", *SENDS)


def _rows(name: str, quote: str, checked: str, routes: Iterable[str]) -> Iterator[Statement]:
    for route in routes:
        yield Statement(f"errors.{name}.{route}", quote, f"{route}: {checked}")


ERRORS = Section(
    "Errors",
    not_statements={"Errors": "a heading"},
    statements=[
        Statement(
            "errors.form",
            "Status Detail Meaning",
            "A refusal is problem+json: its status, its `detail`, and the trace id of the request.",
        ),
        *_rows(
            "not_enrolled",
            "400 User not enrolled Target user_id not in the calling app",
            "a user of no app, and one of another app only, get exactly this, nobody anything.",
            SENDS,
        ),
        *_rows(
            "data_too_large",
            "400 Data payload too large data field exceeds 4KB",
            "one byte more than 4,096 gets exactly this, nobody anything.",
            SENDS,
        ),
        *_rows(
            "invalid_token",
            "401 Invalid token Missing or invalid JWT",
            "no token, what is no JWT, an expired, a forged and an unknown issuer's token get "
            "exactly this.",
            ROUTES,
        ),
        *_rows(
            "missing_scope",
            "403 Missing required scope JWT doesn't have push:send",
            "a service token without the scope gets exactly this.",
            ("unregister", *SENDS),
        ),
        *_rows(
            "not_enabled",
            "403 Push not enabled App does not have push notifications enabled "
            "(device registration)",
            "while the app is not enabled, the caller gets exactly this.",
            ("register", *SENDS),
        ),
        *_rows(
            "insufficient",
            "403 Insufficient permissions JWT does not have admin access for config endpoints",
            "a user and a service get exactly this.",
            ABOUT_AN_APP,
        ),
        *_rows(
            "app_not_found",
            "404 App not found App ID does not exist",
            "whoever may learn it gets exactly this for an id of no app.",
            (*ABOUT_AN_APP, "register", *SENDS),
        ),
        Statement(
            "errors.app_not_found.alike",
            "App ID does not exist",
            "register: another app gets the same bytes as an app that does not exist.",
        ),
        Statement(
            "errors.device_not_found",
            "404 Device not found Device ID doesn't exist",
            "An id of no device, and what is no id, get exactly this from users and services.",
        ),
        Statement(
            "errors.device_not_found.alike",
            "or belongs to another app",
            "Another app's device gets the same bytes as a device that does not exist.",
        ),
        *_rows(
            "quota",
            "429 Daily quota exceeded App has hit its notification limit",
            "the last of the quota is sent, the next gets exactly this, nobody anything.",
            SENDS,
        ),
    ],
)
