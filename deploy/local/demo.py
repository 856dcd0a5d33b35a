"""The main job shown end to end: four providers, a dead token, a retry; every claim is checked."""

import json
import time
import uuid
from collections.abc import Callable

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from deploy.local.clients import Client, Json
from deploy.local.newcomer import DemoApp, Newcomer, apns_token
from deploy.local.timeline import Timeline

SETTLED_TIMEOUT_SECONDS = 60.0
RECEIPT_TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.1
PROVIDERS = ("apns", "fcm", "webpush", "pushy")
TIMED_OUT = 408
MILLISECONDS = 1000


class Demo:
    """Three chapters over one app; `timeline` holds what failed."""

    def __init__(
        self,
        api_url: str,
        simulators: Client,
        app: DemoApp,
        newcomer: Newcomer,
        timeline: Timeline,
        *,
        while_waiting: Callable[[], None],
    ) -> None:
        """`while_waiting` is called again and again, and may raise to give up."""
        self._while_waiting = while_waiting
        self._simulators = simulators
        self._app = app
        self._newcomer = newcomer
        self._timeline = timeline
        self._api_url = api_url

    def run(self) -> None:
        with Client(self._api_url, self._newcomer.service_token(self._app)) as service:
            self._service = service
            self._four_providers()
            self._dead_token()
            self._retry()

    def _four_providers(self) -> None:
        app, timeline = self._app, self._timeline
        devices = self._newcomer.register_everywhere(app)
        timeline.chapter("One notification to a user with four devices")
        sent_at, notification_id = self._send(
            app.user_id,
            title="Your shift starts in 30 min",
            body="Open GymOps to view details.",
            data={"route": "/schedule"},
        )
        status = self._settled(notification_id)
        timeline.event("api", f"GET /push/notifications/… → {status['status']}")
        rows = status["devices"]
        self._show_deliveries(rows, notification_id, sent_at)
        states = {row["provider"]: row["state"] for row in rows}
        for provider in PROVIDERS:
            timeline.check(f"{provider}: delivery sent", states.get(provider) == "sent")
            seen = self._seen(provider, notification_id)
            timeline.check(
                f"{provider}: the simulator took it exactly once",
                sum(entry["accepted"] for entry in seen) == 1,
            )
        receipts = self._receipts(notification_id, len(devices))
        timeline.check(
            "receipts: one per delivery, verified by the public standardwebhooks library",
            sorted(receipt["device_id"] for receipt in receipts) == sorted(devices)
            and {receipt["state"] for receipt in receipts} == {"sent"},
        )

    def _dead_token(self) -> None:
        timeline = self._timeline
        timeline.chapter("A device whose app was removed: APNs answers 410")
        user_id = str(uuid.uuid4())
        user_token = self._newcomer.mint("user", user_id, self._app.app_id)
        device_id = self._newcomer.register(
            self._app,
            user_token,
            provider="apns",
            platform="ios",
            push_token=apns_token("dead"),
        )
        sent_at, notification_id = self._send(user_id, title="Anybody there?", body="")
        status = self._settled(notification_id)
        self._show_deliveries(status["devices"], notification_id, sent_at)
        timeline.check(
            "the delivery ended as unregistered",
            [row["state"] for row in status["devices"]] == ["unregistered"],
        )
        row = self._device(user_id, device_id)
        timeline.event(
            "api", f"device active: {row.get('active')} ({row.get('deactivated_reason')})"
        )
        timeline.check(
            "the device is deactivated, with its reason",
            row.get("active") is False and bool(row.get("deactivated_reason")),
        )
        receipts = self._receipts(notification_id, 1)
        timeline.check(
            "the receipt says unregistered",
            [receipt["state"] for receipt in receipts] == ["unregistered"],
        )

    def _retry(self) -> None:
        timeline = self._timeline
        timeline.chapter("FCM answers 503 once: retried to success")
        user_id = str(uuid.uuid4())
        push_token = f"demo-fcm-busy-{uuid.uuid4().hex}"
        user_token = self._newcomer.mint("user", user_id, self._app.app_id)
        self._newcomer.register(
            self._app, user_token, provider="fcm", platform="android", push_token=push_token
        )
        action = {"kind": "answer", "status": 503, "reason": "UNAVAILABLE"}
        rule = {"match": {"device": push_token}, "times": 1, "action": action}
        self._simulators.post("/fcm/rules", rule, expect=(200, 201))
        timeline.event("simulator", "will answer 503 to the next push for this device")
        sent_at, notification_id = self._send(user_id, title="Second time lucky", body="")
        status = self._settled(notification_id)
        for entry in self._seen("fcm", notification_id):
            timeline.event("fcm", f"answered {entry['answer']['status']}{_after(entry, sent_at)}")
        self._show_deliveries(status["devices"], notification_id, sent_at)
        timeline.check(
            "the delivery was sent at the second attempt",
            [(row["state"], row["attempts"]) for row in status["devices"]] == [("sent", 2)],
        )
        receipts = self._receipts(notification_id, 1)
        timeline.check(
            "the receipt says sent, 2 attempts",
            [(receipt["state"], receipt["attempts"]) for receipt in receipts] == [("sent", 2)],
        )

    def _send(self, user_id: str, **content: object) -> tuple[float, str]:
        """The instant just before, and the notification's id."""
        sent_at = time.time()
        answer = self._service.post("/push/send", {"user_id": user_id, **content}, expect=200)
        notification_id: str = answer["notification_id"]
        self._timeline.event("api", f"POST /push/send → 200 {notification_id}")
        return sent_at, notification_id

    def _settled(self, notification_id: str) -> Json:
        """The notification's status once it is final, or as it is when time is up."""
        path = f"/push/notifications/{notification_id}"
        return self._poll(
            lambda: self._service.get(path), lambda answer: answer["status"] != "pending"
        )

    def _device(self, user_id: str, device_id: str) -> Json:
        path = f"/push/devices/{self._app.app_id}"
        with Client(self._api_url, self._app.tokens["app_admin"]) as admin:
            answer = self._poll(
                lambda: admin.get(path, user_id=user_id, active="false"),
                lambda answer: bool(answer["devices"]),
            )
        return next((row for row in answer["devices"] if row["device_id"] == device_id), {})

    def _seen(self, provider: str, notification_id: str) -> list[Json]:
        entries: list[Json] = self._simulators.get(
            f"/{provider}/seen", notification_id=notification_id
        )["entries"]
        return entries

    def _receipts(self, notification_id: str, count: int) -> list[Json]:
        """The receipts of that notification in calls that verify here, again, from their bytes."""
        wanted = {"receipts": count, "notification_id": notification_id}
        wanted["timeout"] = RECEIPT_TIMEOUT_SECONDS - 5
        self._simulators.post("/receiver/wait", wanted, expect=(200, TIMED_OUT))
        webhook = Webhook(self._app.webhook_secret)
        receipts: list[Json] = []
        for entry in self._seen("receiver", notification_id):
            request = entry["request"]
            try:
                content = webhook.verify(_body_of(request), request["headers"])
            except WebhookVerificationError as error:
                self._timeline.event("receiver", f"call {entry['id']} does not verify: {error}")
                continue
            signature = request["headers"]["webhook-signature"]
            self._timeline.event("receiver", f"{entry['id']} verified, signature {signature[:22]}…")
            receipts += [
                receipt
                for receipt in content["data"]["receipts"]
                if receipt["notification_id"] == notification_id
            ]
        return receipts

    def _poll(self, ask: Callable[[], Json], is_done: Callable[[Json], bool]) -> Json:
        deadline = time.monotonic() + SETTLED_TIMEOUT_SECONDS
        while True:
            answer = ask()
            if is_done(answer) or time.monotonic() > deadline:
                return answer
            self._while_waiting()
            time.sleep(POLL_SECONDS)

    def _show_deliveries(self, rows: list[Json], notification_id: str, sent_at: float) -> None:
        shown = []
        for row in sorted(rows, key=lambda row: PROVIDERS.index(row["provider"])):
            seen = self._seen(row["provider"], notification_id)
            took = f"{(seen[-1]['at'] - sent_at) * MILLISECONDS:.0f} ms" if seen else "not seen"
            reason, provider_id = row["reason"] or "", row["provider_message_id"] or ""
            shown.append(
                [
                    row["provider"],
                    row["state"],
                    str(row["attempts"]),
                    took,
                    reason,
                    provider_id[:60],
                ]
            )
        columns = ["provider", "state", "attempts", "at the provider after", "reason", "its id"]
        self._timeline.table(columns, shown)


def _body_of(request: Json) -> str:
    """The call's text; where the log shows JSON decoded, compact again: the signature decides."""
    body: str = request.get("body") or json.dumps(
        request["payload"], separators=(",", ":"), ensure_ascii=False
    )
    return body


def _after(entry: Json, sent_at: float) -> str:
    return f" after {(entry['at'] - sent_at) * MILLISECONDS:.0f} ms"
