"""What a caller may ask for beyond title, body, data and ttl: the optional fields of every send."""

from typing import Literal

import msgspec

from shared.domain.devices import Platform, Provider

Priority = Literal["high", "normal", "low"]
Oversize = Literal["shorten", "reject"]
OnUnknown = Literal["resend", "suppress"]

COLLAPSE_KEY_CHARACTERS_MAX = 256
BADGE_MAX = 2_147_483_647  # FCM's notification_count is an int32
NAME_CHARACTERS_MAX = 128  # sound, category, thread_id
URL_CHARACTERS_MAX = 2_048  # image, click_action
LOC_KEY_CHARACTERS_MAX = 256
LOC_ARGS_MAX = 16
LANGUAGES_MAX = 20
LOCALIZED_BYTES_MAX = 16_384
OVERRIDE_BYTES_MAX = 4_096  # each, as compact UTF-8 JSON


class LocKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text in the app's own resources, and what to fill in."""

    key: str
    args: tuple[str, ...] = ()


class Wording(msgspec.Struct, frozen=True):
    """Title and body in one language."""

    title: str
    body: str


class Options(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a content is to be shown, kept and retried; the defaults are those of a plain alert.

    `localized` is keyed by lower-case language tag. `overrides` holds a JSON merge patch
    (RFC 7396) as text for each provider named. `platforms` None means every device.
    """

    priority: Priority = "high"
    collapse_key: str | None = None
    silent: bool = False
    badge: int | None = None
    sound: str | None = None
    image: str | None = None
    click_action: str | None = None
    category: str | None = None
    thread_id: str | None = None
    mutable_content: bool = False
    title_loc: LocKey | None = None
    body_loc: LocKey | None = None
    localized: dict[str, Wording] = {}
    overrides: dict[Provider, str] = {}
    platforms: tuple[Platform, ...] | None = None
    oversize: Oversize = "shorten"
    on_unknown: OnUnknown = "resend"

    def takes(self, platform: Platform) -> bool:
        """Whether devices of a platform are meant."""
        return self.platforms is None or platform in self.platforms

    def wording(self, language: str | None) -> Wording | None:
        """The text for a device's language tag: the longest one that begins it (RFC 4647 §3.4)."""
        tag = (language or "").lower()
        while tag:
            if tag in self.localized:
                return self.localized[tag]
            tag = tag.rpartition("-")[0]
        return None


PLAIN = Options()
