"""What the Pushy seed says of devices and topics, and all of it in the seed's order."""

from pathlib import Path

from tests.conformance.pushy.send_statements import LIMITS, SEND
from tests.conformance.seed import Section, Statement

PATH = Path(__file__).resolve().parents[3] / "docs/seeds/pushy-notifications.txt"
TEXT = PATH.read_text()
ROUTES = {
    "register": "POST /api/v1/device-info",
    "list": "GET /api/v1/device-info",
    "subscribe": "POST /api/v1/device-info/subscribe",
    "unsubscribe": "POST /api/v1/device-info/unsubscribe",
    "subscribers": "GET /api/v1/device-info/topics/{topic}/subscribers",
    "send": "POST /api/v1/notifications/send-dev",
}
PLATFORMS = ("IOS", "ANDROID", "WEB")
LANGUAGES = ("en", "zh")
CODES = ("NO_RECIPIENTS", "NO_APNS_AUTH", "PAYLOAD_LIMIT_EXCEEDED", "INVALID_DEVICE_TOKEN")

INTRODUCTION = Section(
    "Notifications",
    [
        Statement(
            "overview.devices",
            "1. Managing device tokens and topic subscriptions.",
            "A token is registered, listed, subscribed and unsubscribed.",
        ),
        Statement(
            "overview.sends",
            "2. Sending push notifications to device tokens from a dev-oriented API endpoint.",
            "A direct push reaches the token at Pushy.",
        ),
        *(
            Statement(f"routes.{name}", route, f"{route} is there: its answer is a good one.")
            for name, route in ROUTES.items()
        ),
        *(
            Statement(
                f"protected.{name}",
                "All of these routes should be treated as protected and called with:",
                f"{route}: no token, and what is none, get 401 `Invalid token` in the envelope.",
            )
            for name, route in ROUTES.items()
        ),
        *(
            Statement(
                f"bearer.{name}",
                "Authorization: Bearer <access_token>",
                f"{route}: a user's token in this header opens it, in no other place.",
            )
            for name, route in ROUTES.items()
        ),
    ],
    {
        "Notifications\n\nPushy Notifications": "headings",
        "Device token registration, topic subscriptions, and dev push sends.": "a summary",
        "Overview\n\nThe backend uses PushyService for two separate concerns:": (
            "how the seed's own backend was built"
        ),
        "Relevant routes:": "a heading",
    },
)

REGISTER = Section(
    "1. Register Device Token",
    [
        Statement(
            "register.stores",
            """1. Register Device Token

POST /api/v1/device-info

Stores the current device token for the authenticated user.""",
            "The token is the caller's afterwards, sealed at rest, and nobody else's.",
        ),
        Statement(
            "register.plain",
            "This route uses DecryptField() middleware, so plain JSON",
            "Plain JSON is accepted.",
        ),
        Statement(
            "register.encrypted",
            "and encrypted wrapper payloads are both accepted.",
            "The same request in an encrypted wrapper gets the same answer.",
        ),
        Statement(
            "register.request",
            """Request

{
  "token": "pushy-device-token",
  "platform": "ANDROID",
  "language": "en"
}""",
            "The example is accepted as it stands; without token or platform it is a 400.",
        ),
        *(
            Statement(
                f"register.platform.{platform}",
                platform,
                f"The platform {platform} is accepted, answered and listed.",
            )
            for platform in PLATFORMS
        ),
        Statement(
            "register.platform",
            "Notes\n\n  • platform must be one of IOS, ANDROID, or WEB.",
            "Any other platform, also in lower case, is a 400 that names the field.",
        ),
        *(
            Statement(
                f"register.language.{language}",
                "language currently accepts en or zh.",
                f"The language {language} is accepted and kept.",
            )
            for language in LANGUAGES
        ),
        Statement(
            "register.language",
            "language currently accepts en or zh.",
            "Any other language is a 400 that names the field; without one it is en.",
        ),
        Statement(
            "register.session",
            "The service enforces a one-user/one-active-session pattern:",
            "Many registrations at once, of users and tokens, leave one session each at most.",
        ),
        Statement(
            "register.session.user",
            "it deactivates other device rows for the same user",
            "A user who registers a second token has only that one active.",
        ),
        Statement(
            "register.session.token",
            "and also deactivates the same token for other users.",
            "A token that another user registers is no longer the first one's.",
        ),
        Statement(
            "register.response",
            """Success response

{
  "status_code": 201,
  "message": "Success",
  "data": {
    "token": "pushy-device-token",
    "platform": "ANDROID"
  }
}""",
            "The example's request gets exactly this, and a `trace_id`, as a 201.",
        ),
    ],
)

LIST = Section(
    "2. List Registered Device Tokens",
    [
        Statement(
            "list.rows",
            """2. List Registered Device Tokens

GET /api/v1/device-info

Returns device token rows""",
            "All active Pushy tokens of the user are listed, and no device of another provider.",
        ),
        Statement(
            "list.user",
            "linked to the authenticated mobile user.",
            "Others' tokens are not listed; a service, who is no user, gets 403.",
        ),
        Statement(
            "list.response",
            """Success response

{
  "status_code": 200,
  "message": "Success",
  "data": [
    {
      "token": "pushy-device-token",
      "platform": "ANDROID"
    }
  ]
}""",
            "After the example of registering, this is exactly the answer, and a `trace_id`.",
        ),
    ],
)

SUBSCRIBE = Section(
    "3. Subscribe a Device Token to Topics",
    [
        Statement(
            "subscribe.topics",
            """3. Subscribe a Device Token to Topics

POST /api/v1/device-info/subscribe

Subscribes a token to one or more Pushy topics.""",
            "One topic and several reach Pushy; none is a 400.",
        ),
        Statement(
            "subscribe.request",
            """Request

{
  "token": "pushy-device-token",
  "topics": ["announcements", "system-updates"]
}""",
            "The example is accepted as it stands; without token or topics it is a 400.",
        ),
        Statement(
            "subscribe.response",
            """Success response

{
  "status_code": 200,
  "message": "Success",
  "data": {
    "success": true,
    "message": "Successfully subscribed to topics"
  }
}""",
            "The example's request gets exactly this, and a `trace_id`.",
        ),
    ],
)

UNSUBSCRIBE = Section(
    "4. Unsubscribe a Device Token",
    [
        Statement(
            "unsubscribe.topics",
            """4. Unsubscribe a Device Token

POST /api/v1/device-info/unsubscribe

Unsubscribes a token from specific topics.""",
            "Pushy has it no longer in these topics, and still in the others.",
        ),
        Statement(
            "unsubscribe.request",
            """Request

{
  "token": "pushy-device-token",
  "topics": ["announcements"]
}""",
            "The example is accepted as it stands; without token it is a 400.",
        ),
        Statement(
            "unsubscribe.omitted",
            "Notes\n\n  • If topics is omitted",
            "Without `topics`, Pushy has the token in no topic any more.",
        ),
        Statement(
            "unsubscribe.empty",
            'or empty, the handler falls back to ["*"].',
            "With an empty list, Pushy has the token in no topic any more.",
        ),
        Statement(
            "unsubscribe.invalid",
            "Invalid device-token errors are surfaced as a bad request.",
            "A token that is not the user's, and one that Pushy does not know, get a 400.",
        ),
    ],
)

SUBSCRIBERS = Section(
    "5. Inspect Topic Subscribers",
    [
        Statement(
            "subscribers.tokens",
            """5. Inspect Topic Subscribers

GET /api/v1/device-info/topics/{topic}/subscribers

Returns the Pushy device tokens currently subscribed to the requested topic.""",
            "All tokens of the topic over all of Pushy's pages, and of no other topic.",
        ),
        Statement(
            "subscribers.response",
            """Success response

{
  "status_code": 200,
  "message": "Success",
  "data": {
    "topic": "announcements",
    "subscribers": ["pushy-device-token"]
  }
}""",
            "After the example of subscribing, this is exactly the answer, and a `trace_id`.",
        ),
    ],
)

SECTIONS = (INTRODUCTION, REGISTER, LIST, SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBERS, SEND, LIMITS)
STATEMENTS = {row.id: row for section in SECTIONS for row in section.statements}
