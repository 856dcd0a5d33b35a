"""What the seed says of the three sends."""

from tests.conformance.seed import Section, Statement
from tests.conformance.statements.callers import services_only

SENDS = ("send", "bulk", "batch")

SEND = Section(
    "POST /push/send",
    [
        Statement("send.route", "POST /push/send", "Its notification is the calling app's."),
        Statement(
            "send.single_user",
            "Send a notification to a single user",
            "The notification is for the user whom the request names; nobody else has one.",
        ),
        Statement(
            "send.all_devices",
            "(all their registered devices for this app).",
            "It goes to each of the user's devices in this app; not to one that is unregistered, "
            "another user's, or the same user's in another app.",
        ),
        *services_only("send"),
        Statement(
            "send.request",
            """Request:

{
  "user_id": "uuid",
  "title": "Your shift starts in 30 min",
  "body": "Open GymOps to view details.",
  "data": { "route": "/schedule" },
  "ttl": 3600
}""",
            "The example with the user's id is accepted.",
        ),
        Statement(
            "send.request.user_id",
            '"user_id": "uuid",',
            "It must be there and a UUID; else a 400 that names the field.",
        ),
        Statement(
            "send.request.title",
            '"title": "Your shift starts in 30 min",',
            "It must be there and a text; else a 400 that names the field.",
        ),
        Statement(
            "send.request.body",
            '"body": "Open GymOps to view details.",',
            "It must be there and a text; else a 400 that names the field.",
        ),
        Statement(
            "send.request.data",
            '"data": { "route": "/schedule" },',
            "It may be left out; it is a JSON object, and the app reads it as it was sent.",
        ),
        Statement(
            "send.request.ttl",
            '"ttl": 3600',
            "It may be left out; it is in seconds, and the notification expires that much later.",
        ),
        Statement("send.response.status", "Response (200):", "The status is 200."),
        Statement(
            "send.response",
            '{ "notification_id": "uuid" }',
            "The answer has this member and no other.",
        ),
        Statement(
            "send.limit.user",
            "- user_id must be enrolled in the calling app",
            "A user who is enrolled in another app only is refused until enrolled in this one.",
        ),
        *(
            Statement(
                f"{send}.limit.data",
                "- data max 4KB",
                f"{send}: 4,095 and 4,096 bytes of compact JSON are taken and 4,097 are not, "
                "of ASCII and of four-byte characters.",
            )
            for send in SENDS
        ),
        *(
            Statement(
                f"{send}.limit.title",
                "- title max 256 chars",
                f"{send}: 255 and 256 characters are taken and 257 are not, of ASCII and of "
                "four-byte characters.",
            )
            for send in SENDS
        ),
        *(
            Statement(
                f"{send}.limit.body",
                "- body max 4096 chars",
                f"{send}: 4,095 and 4,096 characters are taken and 4,097 are not, of ASCII and of "
                "four-byte characters.",
            )
            for send in SENDS
        ),
    ],
    not_statements={"Validation:": "a heading"},
)

BULK = Section(
    "POST /push/send/bulk",
    [
        Statement("bulk.route", "POST /push/send/bulk", "Its notifications are the calling app's."),
        Statement(
            "bulk.same",
            "Send the same notification",
            "Each user's notification has the same data and the same deadline.",
        ),
        Statement(
            "bulk.users",
            "to multiple users.",
            "Each user whom the request names has a notification of their own.",
        ),
        *services_only("bulk"),
        Statement(
            "bulk.request",
            """Request:

{
  "user_ids": ["uuid1", "uuid2", "uuid3"],
  "title": "Gym closes early today",
  "body": "Closing at 6pm.",
  "data": {}
}""",
            "The example with the users' ids is accepted; without user_ids it is a 400.",
        ),
        Statement("bulk.response.status", "Response (200):", "The status is 200."),
        Statement(
            "bulk.response",
            '{ "notification_ids": ["uuid1", "uuid2", "uuid3"] }',
            "The answer has this member and no other: one id for each user, in their order.",
        ),
        Statement(
            "bulk.limit",
            "Max user_ids: 500.",
            "499 and 500 are accepted, 501 and 0 are a 400 that names the field.",
        ),
        Statement(
            "bulk.limit.full",
            "500.",
            "500 users are accepted with the longest title, body and data, fully escaped.",
        ),
    ],
)

BATCH = Section(
    "POST /push/send/batch",
    [
        Statement(
            "batch.route", "POST /push/send/batch", "Its notifications are the calling app's."
        ),
        Statement(
            "batch.different",
            "Send different notifications in one call.",
            "Each notification is for its own user, with its own data and its own ttl.",
        ),
        *services_only("batch"),
        Statement(
            "batch.request",
            """Request:

{
  "notifications": [
    { "user_id": "uuid1", "title": "Shift approved", "body": "Your request was approved." },
    { "user_id": "uuid2", "title": "Time off denied", "body": "Please contact your manager." }
  ]
}""",
            "The example with the users' ids is answered 200 with one id for each entry.",
        ),
        Statement(
            "batch.limit",
            "Max notifications: 500.",
            "499 and 500 are accepted, 501 and 0 are a 400 that names the field.",
        ),
        Statement(
            "batch.limit.full",
            "500.",
            "500 are accepted with the longest title, body and data, of four-byte characters.",
        ),
    ],
)
