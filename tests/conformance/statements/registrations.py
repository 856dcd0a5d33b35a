"""What the seed says of registering devices."""

from tests.conformance.seed import Section, Statement

PLATFORMS = ("web", "ios", "android")
PER_HOUR = 10

REGISTER = Section(
    "POST /push/devices/register",
    [
        Statement(
            "register.route",
            "POST /push/devices/register",
            "The path is a route of its own: `register` is taken for no id of an app or a device.",
        ),
        Statement(
            "register.purpose",
            "Register a device for push notifications.",
            "A notification sent to the user afterwards goes to the device.",
        ),
        Statement("register.auth.user", "Auth: User JWT", "A user's token gets 201."),
        Statement(
            "register.auth.admin",
            "User JWT",
            "An admin's token is a user's, too: it gets 201 for the admin's own device.",
        ),
        Statement(
            "register.auth.service",
            "Auth: User JWT",
            "A service token gets 403, whatever its scopes.",
        ),
        Statement(
            "register.request",
            """Request:

{
  "app_id": "uuid",
  "platform": "web" | "ios" | "android",
  "push_token": "fcm-token-or-web-push-subscription"
}""",
            "The example with the app's id is accepted; without any of its members it is a 400.",
        ),
        Statement(
            "register.request.app_id",
            '"app_id": "uuid",',
            "It is a UUID; anything else is a 400 that names the field.",
        ),
        *(
            Statement(
                f"register.request.platform.{platform}",
                f'"{platform}"',
                f"A device of the platform {platform} is registered as such.",
            )
            for platform in PLATFORMS
        ),
        Statement(
            "register.request.platform",
            '"platform": "web" | "ios" | "android",',
            "Any other platform is a 400 that names the field.",
        ),
        Statement(
            "register.request.push_token.fcm",
            "fcm-token",
            "An FCM token is accepted on each platform.",
        ),
        Statement(
            "register.request.push_token.web_push",
            "web-push-subscription",
            "A browser's subscription is accepted, as an object and as its JSON text.",
        ),
        Statement("register.response.status", "Response (201):", "The status is 201."),
        Statement(
            "register.response",
            '{ "device_id": "uuid" }',
            "The answer has this member and no other.",
        ),
        Statement(
            "register.dedup",
            "Deduplicates on (app_id, token_hash).",
            "The same token is the same device, also of another user; it is listed once.",
        ),
        Statement(
            "register.dedup.app_id",
            "(app_id, token_hash)",
            "The same token in another app is another device.",
        ),
        Statement(
            "register.dedup.token_hash",
            "token_hash",
            "The stored row has the hash of the token, and the token nowhere in the clear.",
        ),
        Statement(
            "register.last_seen_at",
            "Re-registering updates last_seen_at.",
            "It becomes later, and the device keeps its id.",
        ),
        Statement(
            "register.limit",
            "Rate limit: 10",
            "The ninth and tenth are 201, the eleventh is a 429 with Retry-After and no effect.",
        ),
        Statement(
            "register.limit.user", "per user", "A user at the limit does not limit another one."
        ),
        Statement(
            "register.limit.hour",
            "per hour.",
            "Less than an hour after the first of ten it is a 429, an hour after it a 201.",
        ),
    ],
)
