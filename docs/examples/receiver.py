#!/usr/bin/env python3
"""Take Fanfare's receipts: verified, in order, each once, with the gaps filled by pulling.

Python 3.9 or newer, and `pip install standardwebhooks`. Prints one receipt a line.
"""

import json
import os
import sys
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

NAMES = ("URL", "APP_ID", "CLIENT_SECRET", "WEBHOOK_SECRET", "RECEIVER_PORT", "RECEIVER_STATE")
URL, APP_ID, CLIENT_SECRET, SECRET, PORT, STATE = (os.environ[f"FANFARE_{n}"] for n in NAMES)
webhook = Webhook(SECRET)
waiting = {}  # receipts behind a gap, by number
last = 0  # every receipt up to this number was handled


def handle(receipt):
    """Your part. A crash between here and `keep` repeats it, so let its `id` make it harmless."""
    print(json.dumps(receipt), flush=True)


def keep(number):
    global last
    last = number
    with open(f"{STATE}.new", "w") as file:
        file.write(str(number))
    os.replace(f"{STATE}.new", STATE)


def take(receipts):
    """Handle what follows on what was handled; whether a gap is left."""
    waiting.update((r["seq"], r) for r in receipts if r["seq"] > last)
    while last + 1 in waiting:
        handle(waiting[last + 1])
        keep(last + 1)
        del waiting[last]
    return bool(waiting)


def pull():
    """Fetch everything behind the last receipt that was handled."""
    client = {"client_id": APP_ID, "client_secret": CLIENT_SECRET}
    grant = urllib.parse.urlencode({"grant_type": "client_credentials", **client})
    token = call("/auth/token", grant.encode())["access_token"]
    page = {"has_more": True, "next_after": last}
    while page["has_more"]:
        path = f"/push/receipts?limit=1000&after={page['next_after']}"
        page = call(path, headers={"Authorization": f"Bearer {token}"})
        if page["oldest_seq"] > last + 1:  # older than 7 days: nobody has them any more
            print(f"lost: {last + 1} to {page['oldest_seq'] - 1}", file=sys.stderr, flush=True)
            for number in sorted(n for n in waiting if n < page["oldest_seq"]):
                handle(waiting.pop(number))
            keep(page["oldest_seq"] - 1)
        take(page["receipts"])


def call(path, data=None, headers=None):
    request = urllib.request.Request(URL.rstrip("/") + path, data, headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            event = webhook.verify(body, dict(self.headers))
        except (WebhookVerificationError, ValueError):
            self.answer(400)
        else:
            if event["type"] == "push.receipts" and take(event["data"]["receipts"]):
                pull()  # on an error no answer goes out, so this call comes again
            self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    if os.path.exists(STATE):
        with open(STATE) as file:
            last = int(file.read())
    server = HTTPServer(("127.0.0.1", int(PORT)), Receiver)
    pull()  # what came while we were away
    server.serve_forever()
