#!/usr/bin/env python3
"""Register a Pushy token with an encrypted body. Python 3.9 or newer, and `pip install joserfc`."""

import json
import os
import sys
import urllib.error
import urllib.request

from joserfc import jwe
from joserfc.jwk import ECKey


def encrypt(body, key_pair):
    """The wrapper of a body, made with the answer of POST /api/v1/sys/key-pair."""
    header = {name: key_pair[name] for name in ("alg", "enc", "kid")}
    key = ECKey.import_key(key_pair["key"])
    allowed = [header["alg"], header["enc"]]
    return {"payload": jwe.encrypt_compact(header, json.dumps(body), key, algorithms=allowed)}


def post(path, body=None):
    """The `data` of an answer. Add the retries of client.py where it matters."""
    headers = {"Authorization": f"Bearer {os.environ['FANFARE_USER_TOKEN']}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = json.dumps(body or {}).encode()
    url = os.environ["FANFARE_URL"].rstrip("/") + "/api/v1" + path
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        sys.exit(f"POST {path}: {error.code} {json.load(error)['message']}")


if __name__ == "__main__":
    key_pair = post("/sys/key-pair")  # good until its `expires_at`: keep it that long, not longer
    device = {"token": os.environ["FANFARE_PUSHY_TOKEN"], "platform": "ANDROID", "language": "en"}
    print(json.dumps(post("/device-info", encrypt(device, key_pair))))
