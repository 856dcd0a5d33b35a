"""Secrets are cut out of log events, wherever they stand."""

from shared.logs import cut_secrets

CANARIES = {
    "push_token": "tok-canary",
    "text": "failed: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln and whsec_Y2FuYXJ5Y2FuYXJ5",
    "url": "https://api.pushy.me/push?api_key=canary123&x=1",
    "amqp": "amqp://user:canarypw@queue/v",
}


def test_no_canary_survives() -> None:
    event = cut_secrets(None, "info", {"event": "x.happened", "app_id": "a1", **CANARIES})

    text = repr(event)
    assert "canary" not in text
    assert "Y2FuYXJ5" not in text
    assert "eyJ" not in text
    assert event["app_id"] == "a1"
    assert event["event"] == "x.happened"
