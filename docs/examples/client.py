#!/usr/bin/env python3
"""Send one push through Fanfare and wait for what becomes of it. Python 3.9 or newer."""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

NAMES = ("URL", "APP_ID", "CLIENT_SECRET", "USER_ID", "USER_TOKEN")
SETTINGS = [f"FANFARE_{name}" for name in NAMES]
TRIES_MAX = 6
WAIT_SECONDS_MAX = 60  # longer, e.g. until a daily quota is new, is for a job queue
POLL_SECONDS_MAX = 120


def call(method, path, *, token=None, body=None, form=None, headers=None):
    """The answer of one call; repeated as it was while the service is busy or out of reach."""
    headers = dict(headers or {}, Accept="application/json")
    data = urllib.parse.urlencode(form).encode() if form else None
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    url = os.environ["FANFARE_URL"].rstrip("/") + path
    for attempt in range(1, TRIES_MAX + 1):
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            asked = error.headers.get("Retry-After", "")  # on 429 and 503; on 409: still at it
            wait = int(asked) if asked.isdigit() else 2**attempt
            is_busy = asked or error.code in (429, 503)
            if not is_busy or attempt == TRIES_MAX or wait > WAIT_SECONDS_MAX:
                sys.exit(f"{method} {path}: {error.code} {explain(error)}")
        except (OSError, http.client.HTTPException) as error:
            # No connection, or it broke: whether the call arrived is unknown.
            wait = 2**attempt
            if attempt == TRIES_MAX:
                sys.exit(f"{method} {path}: {error}")
        time.sleep(wait)


def explain(error):
    """What an error body says (RFC 9457; from /auth/token RFC 6749), on one line."""
    try:
        problem = json.load(error)
        text = problem.get("detail") or problem.get("error_description") or problem["error"]
    except (ValueError, KeyError, AttributeError):  # not from Fanfare: a proxy's page, say
        return error.reason
    faults = [f"{fault['pointer']}: {fault['detail']}" for fault in problem.get("errors", [])]
    trace_id = problem.get("trace_id") or error.headers.get("X-Request-Id")
    return "; ".join([text, *faults, f"trace_id {trace_id}"])


def main():
    missing = [name for name in SETTINGS if not os.environ.get(name)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}")
    _, app_id, secret, user_id, user_token = (os.environ[name] for name in SETTINGS)

    # In the app: its user's token, and the token that the phone's push service gave to it.
    push_token = os.environ.get("FANFARE_PUSH_TOKEN", "example-push-token")
    device = {"app_id": app_id, "platform": "android", "push_token": push_token}
    call("POST", "/push/devices/register", token=user_token, body=device)

    # In your back end: a service token. It is good for `expires_in` seconds: keep it until then.
    client = {"client_id": app_id, "client_secret": secret, "scope": "push:send"}
    granted = call("POST", "/auth/token", form={"grant_type": "client_credentials", **client})
    token = granted["access_token"]

    # One key for each thing that happened in your system, stored with it: a call that is repeated,
    # even after a crash, then pushes once (and says so: Idempotent-Replayed: true).
    key = {"Idempotency-Key": str(uuid.uuid4())}
    push = {"user_id": user_id, "title": "Your shift starts in 30 min", "body": "Open to view it."}
    sent = call("POST", "/push/send", token=token, body=push, headers=key)

    # Only to show it here: a back end gets signed receipts by webhook instead of asking.
    deadline = time.monotonic() + POLL_SECONDS_MAX
    while True:
        status = call("GET", f"/push/notifications/{sent['notification_id']}", token=token)
        if status["status"] not in ("pending", "scheduled") or time.monotonic() > deadline:
            break
        time.sleep(1)
    print(json.dumps(status, indent=2))
    sys.exit(0 if status["status"] == "sent" else 1)


if __name__ == "__main__":
    main()
