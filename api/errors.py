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


class EnrolmentNotFoundError(ServiceError):
    status = 404
    detail = "Enrolment not found"


class CredentialNotFoundError(ServiceError):
    status = 404
    detail = "Credential not found"


class UnsupportedMediaTypeError(ServiceError):
    status = 415
    detail = "Content-Type must be application/json"


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
        headers = {
            "Retry-After": str(wait_seconds),
            "RateLimit-Policy": f'"{self.policy}";q={most};w={window_seconds}',
            "RateLimit": f'"{self.policy}";r={remaining};t={wait_seconds}',
        }
        super().__init__(members=members, headers=headers)


class QuotaExceededError(LimitError):
    detail = "Daily quota exceeded"
    policy = "daily"


class TooManyRegistrationsError(LimitError):
    detail = "Too many registrations"
    policy = "registrations"


class UnavailableError(ServiceError):
    """We cannot answer now; what was asked may or may not have happened."""

    status = 503
    detail = "Service unavailable"

    def __init__(self, *, wait_seconds: int = 5) -> None:
        super().__init__(headers={"Retry-After": str(wait_seconds)})


def invalid(pointer: str, detail: str) -> ValidationFailedError:
    """A validation failure of one entry."""
    return ValidationFailedError([FieldError(pointer, detail)])
