"""What the seed says of an app's configuration."""

from tests.conformance.seed import Section, Statement
from tests.conformance.statements.callers import admins_only

INTRODUCTION = Section(
    "Push Notification Endpoints",
    not_statements={"Push Notification Endpoints": "the title"},
    statements=[
        Statement(
            "intro.sends",
            "All send endpoints require a service JWT with scope=push:send",
            "Each send answers 200 to a service token with push:send and 403 to all others.",
        ),
        Statement(
            "intro.sends.grant",
            "(from client credentials grant).",
            "A token that `POST /auth/token` grants for client credentials opens each send.",
        ),
        Statement(
            "intro.registration",
            "Device registration uses the user's access JWT.",
            "The device belongs to the user whom the token names.",
        ),
        Statement(
            "intro.config",
            "Config endpoints require an admin JWT (app admin or above).",
            "Both answer 200 to the three kinds of admin and 403 to users and services.",
        ),
    ],
)

PATCH_CONFIG = Section(
    "PATCH /push/config/{app_id}",
    [
        Statement(
            "config.patch.route",
            "PATCH /push/config/{app_id}",
            "It changes the app in the path and no other.",
        ),
        Statement(
            "config.patch.enable",
            "Enable or update push notification settings for an app.",
            "It enables an app, updates it while it is enabled, and disables it.",
        ),
        *admins_only("config.patch"),
        Statement(
            "config.patch.request",
            """Request:

{
  "enabled": true,
  "webhook_url": "https://yourapp.com/hooks/push-receipts",
  "daily_quota": 10000
}""",
            "The example, as it stands, is accepted and applied.",
        ),
        Statement(
            "config.patch.request.enabled",
            '"enabled": true,',
            "A boolean is taken, anything else is a 400 that names the field.",
        ),
        Statement(
            "config.patch.request.webhook_url",
            '"webhook_url": "https://yourapp.com/hooks/push-receipts",',
            "An https address is taken, anything else is a 400 that names the field.",
        ),
        Statement(
            "config.patch.request.daily_quota",
            '"daily_quota": 10000',
            "A whole number is taken, anything else is a 400 that names the field.",
        ),
        Statement(
            "config.patch.optional",
            "All fields are optional.",
            "Each of the eight choices of fields, none included, is accepted.",
        ),
        Statement(
            "config.patch.partial",
            "Only provided fields are updated.",
            "A change of one field leaves all others as they were.",
        ),
        Statement(
            "config.patch.response.status", "Response (200):", "The status is 200, the body JSON."
        ),
        Statement(
            "config.patch.response",
            """{
  "enabled": true,
  "webhook_url": "https://yourapp.com/hooks/push-receipts",
  "webhook_secret": "whsec_abc123...",
  "daily_quota": 10000
}""",
            "The answer has these members, of these types and, but for the secret, these values.",
        ),
        Statement(
            "config.patch.secret.first_enable",
            "On first enable, a webhook_secret is auto-generated and returned.",
            "There is none before the first enable; its answer has one, another for each app.",
        ),
        Statement(
            "config.patch.secret.form",
            '"webhook_secret": "whsec_abc123...",',
            "It is `whsec_` and the base64 of 32 bytes, as Standard Webhooks wants it.",
        ),
        Statement(
            "config.patch.secret.kept",
            "Subsequent updates preserve the existing secret",
            "Updates, disabling and enabling again leave the secret as it is.",
        ),
        Statement(
            "config.patch.secret.regenerated",
            "unless explicitly regenerated.",
            "`regenerate_webhook_secret: true` makes a new one, which then stays.",
        ),
    ],
)

GET_CONFIG = Section(
    "GET /push/config/{app_id}",
    [
        Statement(
            "config.get.route",
            "GET /push/config/{app_id}",
            "It tells of the app in the path and changes nothing.",
        ),
        Statement(
            "config.get.purpose",
            "Get push notification configuration and current status for an app.",
            "What a PATCH answered and what happened since are told at once.",
        ),
        *admins_only("config.get"),
        Statement(
            "config.get.response.status", "Response (200):", "The status is 200, the body JSON."
        ),
        Statement(
            "config.get.response",
            """{
  "enabled": true,
  "webhook_url": "https://yourapp.com/hooks/push-receipts",
  "webhook_secret": "whsec_abc123...",
  "daily_quota": 10000,
  "device_count": 42,
  "notifications_today": 128
}""",
            "The answer has these members, of these types.",
        ),
        Statement(
            "config.get.response.device_count",
            '"device_count": 42,',
            "It counts the app's registered devices: up with a registration, down without it.",
        ),
        Statement(
            "config.get.response.notifications_today",
            '"notifications_today": 128',
            "It counts accepted notifications, each of a bulk and of a batch, and no refused one.",
        ),
    ],
)
