"""What the seed says of listing and unregistering devices."""

from tests.conformance.seed import Section, Statement
from tests.conformance.statements.callers import admins_only

LIST_DEVICES = Section(
    "GET /push/devices/{app_id}",
    [
        Statement(
            "devices.list.route",
            "GET /push/devices/{app_id}",
            "It tells of the app in the path: no device of another app is in it.",
        ),
        Statement(
            "devices.list.all",
            "List all registered push devices for an app.",
            "Each device of each user is listed once, over as many pages as `next_cursor` names.",
        ),
        *admins_only("devices.list"),
        Statement(
            "devices.list.response.status", "Response (200):", "The status is 200, the body JSON."
        ),
        Statement(
            "devices.list.response",
            """{
  "devices": [
    {
      "device_id": "uuid",
      "user_id": "uuid",
      "platform": "ios",
      "last_seen_at": "2026-03-19T08:00:00Z"
    }
  ],
  "total": 42
}""",
            "The answer and each of its rows have these members, of these types.",
        ),
        Statement(
            "devices.list.response.device_id",
            '"device_id": "uuid",',
            "It is the id that the registration answered.",
        ),
        Statement(
            "devices.list.response.user_id",
            '"user_id": "uuid",',
            "It is the user whose token registered the device.",
        ),
        Statement(
            "devices.list.response.platform",
            '"platform": "ios",',
            "It is the platform that the registration named, for each of the three.",
        ),
        Statement(
            "devices.list.response.last_seen_at",
            '"last_seen_at": "2026-03-19T08:00:00Z"',
            "It is the time of the registration in UTC, as RFC 3339 with a Z.",
        ),
        Statement(
            "devices.list.response.total",
            '"total": 42',
            "It counts all of the app's devices, however few of them are shown.",
        ),
    ],
)

UNREGISTER = Section(
    "DELETE /push/devices/{device_id}",
    [
        Statement(
            "unregister.route",
            "DELETE /push/devices/{device_id}",
            "It concerns the device in the path: the user's other one stays registered.",
        ),
        Statement(
            "unregister.purpose",
            "Unregister a device.",
            "The device is listed and counted no more, and gets no notification.",
        ),
        Statement(
            "unregister.auth.user",
            "Auth: User JWT (own devices)",
            "A user unregisters a device of their own.",
        ),
        Statement(
            "unregister.auth.foreign_user",
            "(own devices)",
            "Another user of the app gets 404 `Device not found`, and so does the app's admin.",
        ),
        Statement(
            "unregister.auth.service",
            "OR service JWT with push:send scope (app's devices)",
            "The app's service token unregisters a device of any of its users.",
        ),
        Statement(
            "unregister.auth.foreign_service",
            "(app's devices)",
            "Another app's service token gets 404 `Device not found`.",
        ),
        Statement("unregister.response.status", "Response (200):", "The status is 200."),
        Statement("unregister.response", '{ "status": "ok" }', "The body is this object."),
    ],
)
