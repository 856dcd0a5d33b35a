"""One row per documented answer of APNs."""

from datetime import UTC, datetime

import pytest

from shared.outbound.interface import Response
from shared.providers.apns_answers import KNOWN_REASONS, classify
from shared.providers.apns_pool import ApnsResult, result_of
from shared.providers.outcomes import (
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from tests.simulators.apns import STATUS
from tests.unit.shared.providers.builders import (
    NOW,
    make_notification,
)
from tests.unit.shared.providers.built import apns_request

REQUEST = apns_request(make_notification())
APNS_ID = "eabeae54-14a8-11e5-b60b-1697f925ec7b"


def answer(status: int, body: bytes = b"", **headers: str) -> ApnsResult:
    fields = {"apns-id": APNS_ID.upper()} | {k.replace("_", "-"): v for k, v in headers.items()}
    return result_of(REQUEST, Response(status, fields, body))


def refusal(status: int, reason: str) -> ApnsResult:
    return answer(status, b'{"reason":"%s"}' % reason.encode())


# Apple's documents, and what its servers have been seen to say.
ROWS: list[tuple[int, str, Outcome]] = [
    *(
        (400, reason, Rejected(reason))
        for reason in (
            "BadCollapseId",
            "BadExpirationDate",
            "BadMessageId",
            "BadPriority",
            "DuplicateHeaders",
            "InvalidPushType",
            "PayloadEmpty",
            "MissingDeviceToken",
        )
    ),
    (400, "BadTopic", Misconfigured("BadTopic")),
    (400, "MissingTopic", Misconfigured("MissingTopic")),
    (400, "TopicDisallowed", Misconfigured("TopicDisallowed")),
    (400, "BadDeviceToken", Suspect("BadDeviceToken")),
    (400, "DeviceTokenNotForTopic", Suspect("DeviceTokenNotForTopic")),
    (400, "IdleTimeout", Unavailable("IdleTimeout", scope="origin")),
    *(
        (403, reason, Misconfigured(reason))
        for reason in (
            "ExpiredProviderToken",
            "InvalidProviderToken",
            "MissingProviderToken",
            "UnrelatedKeyIdInToken",
            "BadEnvironmentKeyIdInToken",
            "BadEnvironmentKeyInToken",
            "BadCertificate",
            "BadCertificateEnvironment",
            "Forbidden",
            "SomethingNewAboutKeys",
        )
    ),
    (404, "BadPath", Rejected("BadPath")),
    (405, "MethodNotAllowed", Rejected("MethodNotAllowed")),
    (410, "Unregistered", Unregistered("Unregistered")),
    (410, "ExpiredToken", Unregistered("ExpiredToken")),
    (410, "SomethingNew", Suspect("SomethingNew")),
    (413, "PayloadTooLarge", Rejected("PayloadTooLarge")),
    (429, "TooManyRequests", Unavailable("TooManyRequests", 60.0, "device")),
    (
        429,
        "TooManyProviderTokenUpdates",
        Unavailable("TooManyProviderTokenUpdates", 300.0, "credential"),
    ),
    (429, "SomethingNew", Unavailable("SomethingNew", 60.0, "device")),
    (500, "InternalServerError", Unavailable("InternalServerError", scope="origin")),
    (503, "ServiceUnavailable", Unavailable("ServiceUnavailable", scope="origin")),
    (503, "Shutdown", Unavailable("Shutdown", scope="origin")),
    (400, "SomethingNew", Rejected("SomethingNew")),
    (599, "SomethingNew", Unavailable("SomethingNew", scope="origin")),
]


@pytest.mark.parametrize(("status", "reason", "expected"), ROWS)
def test_classify_every_reason(status: int, reason: str, expected: Outcome) -> None:
    assert classify(refusal(status, reason), NOW) == expected


def test_classify_success_gives_the_id_in_lower_case() -> None:
    assert classify(answer(200), NOW) == Sent(APNS_ID)


def test_classify_410_carries_apples_instant() -> None:
    result = answer(410, b'{"reason":"Unregistered","timestamp":1772000000123}')

    outcome = classify(result, NOW)

    assert outcome == Unregistered("Unregistered", datetime.fromtimestamp(1_772_000_000.123, UTC))


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"reason":7}', b'{"reason":null}', b"\xff\xfe"]
)
def test_classify_goes_by_status_when_the_body_is_garbage(body: bytes) -> None:
    assert classify(answer(503, body), NOW) == Unavailable("http_503", scope="origin")


@pytest.mark.parametrize("timestamp", [b"1e400", b'"x"', b"99999999999999999999", b"true"])
def test_classify_410_ignores_an_impossible_instant(timestamp: bytes) -> None:
    result = answer(410, b'{"reason":"Unregistered","timestamp":%s}' % timestamp)

    assert classify(result, NOW) in {Unregistered("Unregistered"), Suspect("http_410")}


def test_classify_honours_a_retry_after() -> None:
    result = answer(503, b'{"reason":"ServiceUnavailable"}', retry_after="7")

    assert classify(result, NOW) == Unavailable("ServiceUnavailable", 7.0, "origin")


# developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
DOCUMENTED = [
    "BadCollapseId",
    "BadDeviceToken",
    "BadExpirationDate",
    "BadMessageId",
    "BadPriority",
    "BadTopic",
    "DeviceTokenNotForTopic",
    "DuplicateHeaders",
    "IdleTimeout",
    "InvalidPushType",
    "MissingDeviceToken",
    "MissingTopic",
    "PayloadEmpty",
    "TopicDisallowed",
    "BadCertificate",
    "BadCertificateEnvironment",
    "ExpiredProviderToken",
    "Forbidden",
    "InvalidProviderToken",
    "MissingProviderToken",
    "UnrelatedKeyIdInToken",
    "BadEnvironmentKeyIdInToken",
    "BadPath",
    "MethodNotAllowed",
    "ExpiredToken",
    "Unregistered",
    "PayloadTooLarge",
    "TooManyProviderTokenUpdates",
    "TooManyRequests",
    "InternalServerError",
    "ServiceUnavailable",
    "Shutdown",
]


def test_no_reason_is_without_a_row() -> None:
    rows = {reason: status for status, reason, _ in ROWS}

    assert set(DOCUMENTED) <= rows.keys()
    assert rows.keys() >= KNOWN_REASONS
    assert {reason: rows[reason] for reason in STATUS} == STATUS  # as our simulator says it


def test_classify_gives_our_own_id_when_none_comes_back() -> None:
    outcome = classify(result_of(REQUEST, Response(200, {}, b"")), NOW)

    assert outcome == Sent(REQUEST.notification_id)


@pytest.mark.parametrize("reason", ["BadDeviceToken", "DeviceTokenNotForTopic"])
def test_what_our_own_set_up_can_cause_is_never_a_dead_token(reason: str) -> None:
    assert classify(refusal(400, reason), NOW) == Suspect(reason)
