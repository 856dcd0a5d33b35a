"""A team's webhook endpoint: `POST /hooks/<name>`, verified with the public library."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.simulators.devices import State
from tests.simulators.exchange import Http2Policy, SimRequest, SimResponse
from tests.simulators.journal import Entry
from tests.simulators.receipts import ReceiptBook, read_receipts
from tests.simulators.simulator import Call, Simulator, SimulatorError, Verdict

HOOKS = "/hooks/"


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Secrets that may have signed; during a rotation there are two."""

    secrets: list[str]


class ReceiverSimulator(Simulator):
    """In its log `device` is the endpoint's name and `id` the webhook-id."""

    magic_prefixes: ClassVar[dict[str, State]] = {}

    def __init__(self) -> None:
        super().__init__(Http2Policy())
        self.receipts = ReceiptBook()
        self._endpoints: dict[str, list[Webhook]] = {}

    def put_endpoint(self, name: str, endpoint: Endpoint) -> None:
        """Set an endpoint's secrets."""
        try:
            self._endpoints[name] = [Webhook(secret) for secret in endpoint.secrets]
        except Exception as error:  # the library raises RuntimeError, binascii.Error and its own
            raise SimulatorError(f"secrets: {type(error).__name__}") from error

    def remove_endpoint(self, name: str) -> bool:
        """Forget an endpoint; false when unknown."""
        return self._endpoints.pop(name, None) is not None

    def seen(self, notification_id: str) -> list[Entry]:
        """Calls that carried a receipt of that notification."""
        wanted = notification_id.encode()
        return [entry for entry in self.journal if wanted in entry.payload]

    # -- Simulator

    def read(self, request: SimRequest) -> Call:
        name = request.path.removeprefix(HOOKS)
        if not request.path.startswith(HOOKS) or not name:
            return Call(is_send=False)
        _, receipts = read_receipts(request.body)
        notification_ids = dict.fromkeys(
            key.notification_id for key, _ in receipts if key.notification_id
        )
        return Call(devices=(name,), notification_ids=tuple(notification_ids), payload=request.body)

    def judge(self, request: SimRequest, call: Call) -> Verdict:
        webhooks = self._endpoints.get(call.devices[0]) if call.devices else None
        webhook_id = request.headers.get("webhook-id")
        note: dict[str, Any] = {
            "verified": False,
            "webhook_id": webhook_id,
            "timestamp": request.headers.get("webhook-timestamp"),
        }
        if webhooks is None or request.method != "POST":
            status = 404 if webhooks is None else 405
            return Verdict(
                SimResponse(status), accepted=False, reason="no_endpoint", id=webhook_id, note=note
            )
        fault = _fault(webhooks, request)
        if fault is not None:
            return Verdict(SimResponse(401), accepted=False, reason=fault, id=webhook_id, note=note)
        note["verified"] = True
        self.receipts.add(call.devices[0], str(webhook_id), request.body)
        return Verdict(SimResponse(204), accepted=True, id=webhook_id, note=note)

    def refusal(
        self,
        request: SimRequest,  # noqa: ARG002 - other providers look at it
        call: Call,  # noqa: ARG002 - other providers look at it
        status: int,
        reason: str | None,
    ) -> SimResponse:
        return SimResponse(status, (reason or "").encode(), [("content-type", "text/plain")])

    def extra_stats(self) -> dict[str, Any]:
        return {"calls": self.requests, "verified": self.journal.accepted, **self.receipts.stats()}

    def forget(self) -> None:
        self.receipts.clear()


def _fault(webhooks: list[Webhook], request: SimRequest) -> str | None:
    """Why no secret fits, in the library's words."""
    fault = "no secrets registered"
    for webhook in webhooks:
        try:
            webhook.verify(request.body, dict(request.headers))
        except (
            WebhookVerificationError,
            ValueError,
        ) as error:  # ValueError: malformed header, body or UTF-8
            fault = str(error) or type(error).__name__
        else:
            return None
    return fault
