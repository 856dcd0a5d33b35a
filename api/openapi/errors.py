"""Which operation can fail how, in one place: by its callers, by its body, by what it does.

Every refusal here is a real one, so its status, `detail` and header fields are those of the code.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from api import errors
from api.auth.mobile import APP_HEADER
from api.bodies.bounds import SMALL_BYTES_MAX
from api.errors import FieldError, ServiceError, UserNotEnrolledError, invalid
from api.services import pushy_errors

_TOKEN = errors.InvalidTokenError()
_SCOPE = errors.MissingScopeError()
_RIGHTS = errors.InsufficientPermissionsError()
_NO_APP = errors.AppNotFoundError()
_DISABLED = errors.PushNotEnabledError()
_AWAY = errors.UnavailableError()

# Guard (api/auth) -> what it answers; every guard looks into the database.
_OWN_APP = (_TOKEN, _RIGHTS, _NO_APP, _AWAY)
_MOBILE = (_TOKEN, _DISABLED, _NO_APP, _AWAY, invalid(f"#/{APP_HEADER}", "required"))
GUARDS: Mapping[str, tuple[ServiceError, ...]] = {
    "Gate.sender": (_TOKEN, _SCOPE, _DISABLED, _NO_APP, _AWAY),
    "Gate.user": (_TOKEN, _RIGHTS, _AWAY),
    "Gate.device_owner": (_TOKEN, _SCOPE, _AWAY),
    "Gate.reader": (_TOKEN, _SCOPE, _RIGHTS, _AWAY),
    "Gate.lister": (_SCOPE, *_OWN_APP),
    "Gate.overseer": _OWN_APP,
    "Gate.admin": (_TOKEN, _RIGHTS, _AWAY),
    "Gate.administrator": _OWN_APP,
    "Gate.enroller": (_SCOPE, *_OWN_APP),
    "Gate.founder": _OWN_APP,
    "MobileGate.user": (_RIGHTS, *_MOBILE),
    "MobileGate.user_or_service": (_SCOPE, *_MOBILE),
    "MobileGate.operator": (_SCOPE, _RIGHTS, *_MOBILE),
}
_ANY_BODY = (errors.BodyTimeoutError(), errors.BodyTooLargeError())
_JSON = (errors.UnsupportedMediaTypeError(), errors.UnsupportedEncodingError())
_JSON_OR_LINES = (errors.NeitherJsonNorLinesError(), errors.UnsupportedEncodingError())
_LARGE_BODY = errors.BodyBudgetSpentError()
_LINES = "enroll_users"


def _stranger(pointer: str) -> UserNotEnrolledError:
    return UserNotEnrolledError([FieldError(pointer, "user is not enrolled in this app")])


def _too_large(pointer: str) -> errors.DataTooLargeError:
    return errors.DataTooLargeError([FieldError(pointer, "at most 4096 bytes")])


_NOT_ENROLLED = UserNotEnrolledError([FieldError("#", "the token's user is not enrolled")])
_NO_ENROLMENT = errors.EnrolmentNotFoundError()
_NO_CREDENTIAL = errors.CredentialNotFoundError()
_NO_DEAD_LETTER = errors.DeadLetterNotFoundError()
_NO_NOTIFICATION = errors.NotificationNotFoundError()
_SENDS = (
    errors.QuotaExceededError(
        most=1_000, window_seconds=86_400, wait_seconds=3_600, members={"remaining": 0}
    ),
    errors.KeyInUseError(),
    errors.KeyReusedError(),
)
_REGISTRATIONS = errors.TooManyRegistrationsError(most=10, window_seconds=3_600, wait_seconds=240)
_CALLS = errors.TooManyCallsError(most=60, window_seconds=60, wait_seconds=7)
_SEALED = errors.EnvelopeRefusedError()
_NO_WEBHOOK = errors.NoWebhookError()
_PUSHY = (
    pushy_errors.InvalidDeviceTokenError(),
    pushy_errors.NoRecipientsError("NO_RECIPIENTS"),
    pushy_errors.NoApnsAuthError("NO_APNS_AUTH"),
    pushy_errors.PayloadLimitError(),
    pushy_errors.PushyRefusedError("INVALID_PARAM"),
    pushy_errors.PushyLimitError("RATE_LIMIT_EXCEEDED", wait_seconds=60),
    pushy_errors.PushyKeyError("INVALID_API_KEY"),
    pushy_errors.PushyUnavailableError("UNAVAILABLE", wait_seconds=5),
)

# Handler (api/routes) -> what it adds.
OPERATIONS: Mapping[str, tuple[ServiceError, ...]] = {
    "put_app": (errors.AppBeingDeletedError(),),
    "get_enrolment": (_NO_ENROLMENT,),
    "withdraw_user": (_NO_ENROLMENT,),
    "get_credential": (_NO_CREDENTIAL,),
    "delete_credential": (_NO_CREDENTIAL,),
    "verify_credential": (_NO_CREDENTIAL,),
    "register_device": (_NOT_ENROLLED, _DISABLED, _NO_APP, _REGISTRATIONS),
    "unregister_device": (errors.DeviceNotFoundError(),),
    "send": (_stranger("#/user_id"), _too_large("#/data"), *_SENDS),
    "send_bulk": (_stranger("#/user_ids/3"), _too_large("#/data"), *_SENDS),
    "send_batch": (
        _stranger("#/notifications/3/user_id"),
        _too_large("#/notifications/3/data"),
        *_SENDS,
    ),
    "preview_send": (_stranger("#/user_id"), _too_large("#/data")),
    "get_notification": (_NO_NOTIFICATION,),
    "cancel_notification": (_NO_NOTIFICATION,),
    "get_data": (_NO_NOTIFICATION,),
    "get_dead_letter": (_NO_DEAD_LETTER,),
    "discard_dead_letter": (_NO_DEAD_LETTER,),
    "replay_receipts": (
        _NO_WEBHOOK,
        errors.TooManyCallsError(most=30, window_seconds=60, wait_seconds=7),
    ),
    "test_webhook": (
        _NO_WEBHOOK,
        errors.TooManyCallsError(most=10, window_seconds=60, wait_seconds=7),
    ),
    "issue_token": (*_ANY_BODY, _AWAY),
    "register_token": (_NOT_ENROLLED, _SEALED),
    "subscribe_token": _PUSHY,
    "unsubscribe_token": _PUSHY,
    "list_subscribers": _PUSHY,
    "send_dev": (_RIGHTS, _CALLS, _SEALED, *_PUSHY),
    "get_dev_send": (_NO_NOTIFICATION,),
}


class Traits(NamedTuple):
    """What an operation's failures depend on; `bytes_max` of its JSON body, None without one."""

    handler: str
    guards: tuple[str, ...]
    required: tuple[str, ...]
    parameters: tuple[str, ...]
    bytes_max: int | None


def refusals(traits: Traits) -> Iterator[ServiceError]:
    """All that an operation can answer instead of what it was asked for."""
    yield _invalid(traits)
    for guard in traits.guards:
        yield from GUARDS.get(guard, ())
    if traits.bytes_max is not None:
        yield from _ANY_BODY
        yield from _JSON_OR_LINES if traits.handler == _LINES else _JSON
        if traits.bytes_max > SMALL_BYTES_MAX:
            yield _LARGE_BODY
    yield from OPERATIONS.get(traits.handler, ())


def _invalid(traits: Traits) -> ServiceError:
    """Even an operation without input refuses a query parameter that is given twice."""
    for member in traits.required:
        return invalid(f"#/{member}", f"Object missing required field `{member}`")
    return invalid(f"#/{next(iter(traits.parameters), 'x')}", "given more than once")
