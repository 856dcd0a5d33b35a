"""What the Pushy seed says of direct pushes and of Pushy's limits."""

from tests.conformance.seed import Section, Statement

BYTES_MAX = 4_096
TOKENS_MAX = 100_000

SEND = Section(
    "6. Send a Dev Push Notification",
    [
        Statement(
            "send.tokens",
            """6. Send a Dev Push Notification

POST /api/v1/notifications/send-dev

Sends a push notification to one or more device tokens through Pushy.""",
            "One token and several get the push, in one call of Pushy.",
        ),
        Statement(
            "send.plain",
            "This route also passes through DecryptField().",
            "Plain JSON is accepted.",
        ),
        Statement(
            "send.encrypted",
            "This route also passes through DecryptField().",
            "The same request in an encrypted wrapper gets the same answer.",
        ),
        Statement(
            "send.request",
            """Request

{
  "title": "Balance Updated",
  "content": "Your wallet has been credited.",
  "to": ["pushy-device-token"],
  "action": "wallet_refresh",
  "additional_data": {
    "wallet_id": 17,
    "source": "topup"
  }
}""",
            "The example is accepted as it stands, and Pushy gets each of its members.",
        ),
        Statement(
            "send.title",
            "Payload behavior\n\n  • title and content are required.",
            "Without `title`, or with an empty one, it is a 400 that names the field.",
        ),
        Statement(
            "send.content",
            "title and content are required.",
            "Without `content`, or with an empty one, it is a 400 that names the field.",
        ),
        Statement(
            "send.to",
            "to must contain at least one device token.",
            "Without `to`, or with an empty list, it is a 400 that names the field.",
        ),
        Statement(
            "send.action",
            "action, when present, is merged into the notification data payload.",
            "`action` is a member of Pushy's `data`; without one there is none.",
        ),
        Statement(
            "send.additional_data",
            "additional_data is merged into the same Pushy data payload as top-level keys.",
            "Each member of `additional_data` is one of Pushy's `data`, as it was written.",
        ),
        Statement(
            "send.response",
            """Success response

{
  "status_code": 200,
  "message": "Success",
  "data": {
    "success": true,
    "message": "Notification sent successfully"
  }
}""",
            "The example's request gets exactly this, and a `trace_id`.",
        ),
        Statement(
            "send.only_success",
            """Important implementation note

The API currently returns only a success flag and message.""",
            "`data` has these two members, whatever Pushy answers.",
        ),
        Statement(
            "send.no_details",
            "The detailed Pushy send result (notification ID, total devices, failed tokens) is not "
            "returned by this endpoint,",
            "Neither Pushy's id nor a number nor a failed token is in the body.",
        ),
        Statement(
            "send.details_exist",
            "even though the underlying service calculates it.",
            "Operators of the app find it at GET /api/v1/notifications/{id}.",
        ),
    ],
)

LIMITS = Section(
    "Pushy Service Limits",
    [
        Statement(
            "limits.payload",
            """Pushy Service Limits

The backend Pushy integration currently enforces:

  • Maximum payload size: 4096 bytes""",
            "A payload of 4,096 bytes is sent, one of 4,097 is a 400 and Pushy is not asked.",
        ),
        Statement(
            "limits.devices",
            "Maximum devices per request: 100000",
            "100,000 tokens are pushed to, 100,001 are a 400 and Pushy is not asked.",
        ),
        Statement(
            "codes.no_recipients",
            "Common underlying Pushy error mappings:\n\n  • NO_RECIPIENTS",
            "Tokens none of which Pushy knows: 400 with this code.",
        ),
        Statement(
            "codes.no_apns_auth",
            "NO_APNS_AUTH",
            "An iOS token of an app without APNs at Pushy: 400 with this code.",
        ),
        Statement(
            "codes.payload_limit_exceeded",
            "PAYLOAD_LIMIT_EXCEEDED",
            "A payload that is too large for us or for Pushy: 400 with this code.",
        ),
        Statement(
            "codes.invalid_device_token",
            "INVALID_DEVICE_TOKEN",
            "A token that Pushy does not know, subscribed to a topic: 400 with this code.",
        ),
        Statement(
            "codes.envelope",
            "If you hit these conditions, the API responds with the project\u2019s normal JSON "
            "error envelope.",
            "Each is `{status_code, message, data: null, trace_id}` and its `code`, as JSON.",
        ),
    ],
    {"Copyright © 2026": "no statement about the interface"},
)
