"""Service errors: what a caller did wrong or cannot have now, each with its status and `detail`."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One fault of a request; `pointer` is a JSON pointer (RFC 6901) into its body."""

    pointer: str
    detail: str


class ServiceError(Exception):
    """Base of all; `members` go into the problem's body, `headers` into the answer."""

    status: ClassVar[int]
    detail: ClassVar[str]

    def __init__(
        self, *, members: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(self.detail)
        self.members: Mapping[str, Any] = members or {}
        self.headers: Mapping[str, str] = headers or {}


class FieldsError(ServiceError):
    """An error that names the entries of the body it is about."""

    status = 400

    def __init__(self, errors: Iterable[FieldError]) -> None:
        super().__init__(members={"errors": list(errors)})


class ValidationFailedError(FieldsError):
    detail = "Validation failed"


class UserNotEnrolledError(FieldsError):
    detail = "User not enrolled"


class DataTooLargeError(FieldsError):
    detail = "Data payload too large"


class InvalidTokenError(ServiceError):
    status = 401
    detail = "Invalid token"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class MissingScopeError(ServiceError):
    status = 403
    detail = "Missing required scope"


class InsufficientPermissionsError(ServiceError):
    status = 403
    detail = "Insufficient permissions"


class PushNotEnabledError(ServiceError):
    status = 403
    detail = "Push not enabled"


class AppNotFoundError(ServiceError):
    status = 404
    detail = "App not found"


class DeviceNotFoundError(ServiceError):
    status = 404
    detail = "Device not found"


class NotificationNotFoundError(ServiceError):
    status = 404
    detail = "Notification not found"


class DeadLetterNotFoundError(ServiceError):
    status = 404
    detail = "Dead letter not found"


class EnrolmentNotFoundError(ServiceError):
    status = 404
    detail = "Enrolment not found"


class CredentialNotFoundError(ServiceError):
    status = 404
    detail = "Credential not found"


class EnvelopeRefusedError(ServiceError):
    """One text for whatever is wrong with an encrypted body: nobody learns anything from it."""

    status = 400
    detail = "Encrypted payload cannot be opened"


class AppBeingDeletedError(ServiceError):
    """The id is free again once the old app's rows are gone."""

    status = 409
    detail = "App is being deleted"


class NoWebhookError(ServiceError):
    """There is nowhere to post to."""

    status = 409
    detail = "App has no webhook"


class KeyInUseError(ServiceError):
    """The first request with this idempotency key has not been answered yet."""

    status = 409
    detail = "Request with this idempotency key is in progress"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class KeyReusedError(ServiceError):
    status = 422
    detail = "Idempotency key was used for another request"


class UnsupportedMediaTypeError(ServiceError):
    status = 415
    detail = "Content-Type must be application/json"


class NeitherJsonNorLinesError(ServiceError):
    status = 415
    detail = "Content-Type must be application/json or application/x-ndjson"


class UnsupportedEncodingError(ServiceError):
    status = 415
    detail = "Content-Encoding is not supported"

    def __init__(self) -> None:
        super().__init__(headers={"Accept-Encoding": "identity"})


class BodyTimeoutError(ServiceError):
    """The rest of the body is not waited for, so the connection cannot be used again."""

    status = 408
    detail = "Request body did not arrive in time"

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class BodyTooLargeError(ServiceError):
    status = 413
    detail = "Request body too large"


class BodyBudgetSpentError(ServiceError):
    """Other large bodies hold what this process has for them; nothing happened."""

    status = 503
    detail = "Too many large requests"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


def ratelimit_fields(
    policy: str, *, most: int, window_seconds: int, remaining: int, resets_in_seconds: int
) -> dict[str, str]:
    """What is left of a limit (draft-ietf-httpapi-ratelimit-headers)."""
    return {
        "RateLimit-Policy": f'"{policy}";q={most};w={window_seconds}',
        "RateLimit": f'"{policy}";r={remaining};t={resets_in_seconds}',
    }


class LimitError(ServiceError):
    """429 with the fields that say when to come back (draft-ietf-httpapi-ratelimit-headers)."""

    status = 429
    policy: ClassVar[str]

    def __init__(
        self,
        *,
        most: int,
        window_seconds: int,
        wait_seconds: int,
        remaining: int = 0,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        fields = ratelimit_fields(
            self.policy,
            most=most,
            window_seconds=window_seconds,
            remaining=remaining,
            resets_in_seconds=wait_seconds,
        )
        super().__init__(members=members, headers={"Retry-After": str(wait_seconds)} | fields)


class QuotaExceededError(LimitError):
    detail = "Daily quota exceeded"
    policy = "daily"


class TooManyRegistrationsError(LimitError):
    detail = "Too many registrations"
    policy = "registrations"


class TooManyCallsError(LimitError):
    detail = "Too many calls"
    policy = "calls"


class UnavailableError(ServiceError):
    """We cannot answer now; what was asked may or may not have happened."""

    status = 503
    detail = "Service unavailable"

    def __init__(self, *, wait_seconds: int = 5) -> None:
        super().__init__(headers={"Retry-After": str(wait_seconds)})


def invalid(pointer: str, detail: str) -> ValidationFailedError:
    """A validation failure of one entry."""
    return ValidationFailedError([FieldError(pointer, detail)])
