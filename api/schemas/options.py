"""Wire format of the optional fields of every send (CONTRACT §3)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.bodies.data_text import compact_object
from api.errors import invalid
from api.schemas.base import LANGUAGE_PATTERN, Body
from shared.domain.devices import Platform, Provider
from shared.domain.notifications import BODY_CHARACTERS_MAX, TITLE_CHARACTERS_MAX
from shared.domain.options import (
    BADGE_MAX,
    COLLAPSE_KEY_CHARACTERS_MAX,
    LANGUAGES_MAX,
    LOC_ARGS_MAX,
    LOC_KEY_CHARACTERS_MAX,
    LOCALIZED_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    OVERRIDE_BYTES_MAX,
    PLAIN,
    URL_CHARACTERS_MAX,
    LocKey,
    OnUnknown,
    Options,
    Oversize,
    Priority,
    Wording,
)
from shared.providers.overrides import protected_member

Title = Annotated[str, Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
Text = Annotated[str, Meta(max_length=BODY_CHARACTERS_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Language = Annotated[str, Meta(max_length=35, pattern=LANGUAGE_PATTERN)]
CollapseKey = Annotated[str, Meta(min_length=1, max_length=COLLAPSE_KEY_CHARACTERS_MAX)]
Platforms = Annotated[
    list[Platform], Meta(min_length=1, max_length=3, description="only devices of these")
]
LocText = Annotated[str, Meta(max_length=LOC_KEY_CHARACTERS_MAX)]
Image = Annotated[
    str,
    Meta(
        max_length=URL_CHARACTERS_MAX,
        pattern=r"^https://[!-~]+$(?!\n)",
        description="a picture's https address",
        examples=["https://gymops.example/shift.png"],
    ),
]
ClickAction = Annotated[
    str,
    Meta(
        min_length=1, max_length=URL_CHARACTERS_MAX, description="what a tap opens: link or action"
    ),
]
Patch = Annotated[
    msgspec.Raw,
    Meta(description="a JSON merge patch (RFC 7396)", extra_json_schema={"type": "object"}),
]
Localized = Annotated[
    dict[Language, "WordingBody"],
    Meta(
        max_length=LANGUAGES_MAX,
        description="by language tag, for devices of that language; at most 16,384 bytes in all",
        examples=[{"zh": {"title": "你的班次 30 分钟后开始", "body": ""}}],
    ),
]

_OVERSIZE = "what becomes of a text that a provider cannot carry"
_UNKNOWN = "what becomes of an attempt whose outcome nobody knows"


class LocKeyBody(Body, frozen=True, kw_only=True):
    """A text in the app's own resources; `args` fill it in."""

    key: Annotated[str, Meta(min_length=1, max_length=LOC_KEY_CHARACTERS_MAX)]
    args: Annotated[list[LocText], Meta(max_length=LOC_ARGS_MAX)] = msgspec.field(
        default_factory=list
    )


class WordingBody(Body, frozen=True, kw_only=True):
    """Title and body in one language."""

    title: Title
    body: Text


class OverridesBody(Body, frozen=True, kw_only=True):
    """Changes to the payload that is built for a provider; each at most 4,096 bytes."""

    apns: Patch = msgspec.field(default_factory=msgspec.Raw)
    fcm: Patch = msgspec.field(default_factory=msgspec.Raw)
    webpush: Patch = msgspec.field(default_factory=msgspec.Raw)
    pushy: Patch = msgspec.field(default_factory=msgspec.Raw)

    def patches(self, pointer: str) -> dict[Provider, str]:
        given: dict[Provider, bytes] = {
            "apns": bytes(self.apns),
            "fcm": bytes(self.fcm),
            "webpush": bytes(self.webpush),
            "pushy": bytes(self.pushy),
        }
        return {
            provider: patch_text(provider, raw, f"{pointer}/{provider}")
            for provider, raw in given.items()
            if raw
        }


class OptionsBody(Body, frozen=True, kw_only=True):
    """What every kind of send may ask for."""

    priority: Priority = "high"
    collapse_key: Annotated[CollapseKey | None, Meta(description="a later one replaces it")] = None
    silent: Annotated[bool, Meta(description="wakes the app, shows nothing")] = False
    badge: Annotated[int, Meta(ge=0, le=BADGE_MAX)] | None = None
    sound: Name | None = None
    image: Image | None = None
    click_action: ClickAction | None = None
    category: Name | None = None
    thread_id: Name | None = None
    mutable_content: bool = False
    title_loc: LocKeyBody | None = None
    body_loc: LocKeyBody | None = None
    localized: Localized = msgspec.field(default_factory=dict)
    overrides: OverridesBody | None = None
    platforms: Platforms | None = None
    oversize: Annotated[Oversize, Meta(description=_OVERSIZE)] = "shorten"
    on_unknown: Annotated[OnUnknown, Meta(description=_UNKNOWN)] = "resend"

    def options(self, pointer: str) -> Options:
        """The options, PLAIN itself when none was given.

        Raises:
            ValidationFailedError: what the types cannot say is wrong.
        """
        options = Options(
            priority=self.priority,
            collapse_key=self.collapse_key,
            silent=self.silent,
            badge=self.badge,
            sound=self.sound,
            image=self.image,
            click_action=self.click_action,
            category=self.category,
            thread_id=self.thread_id,
            mutable_content=self.mutable_content,
            title_loc=_loc_key(self.title_loc),
            body_loc=_loc_key(self.body_loc),
            localized=_wordings(self.localized, f"{pointer}/localized"),
            overrides=self.overrides.patches(f"{pointer}/overrides") if self.overrides else {},
            platforms=tuple(dict.fromkeys(self.platforms)) if self.platforms else None,
            oversize=self.oversize,
            on_unknown=self.on_unknown,
        )
        return PLAIN if options == PLAIN else options


def _loc_key(body: LocKeyBody | None) -> LocKey | None:
    return None if body is None else LocKey(body.key, tuple(body.args))


def _wordings(localized: dict[str, WordingBody], pointer: str) -> dict[str, Wording]:
    wordings = {tag.lower(): Wording(w.title, w.body) for tag, w in localized.items()}
    if len(wordings) < len(localized):
        raise invalid(pointer, "a language is named twice")
    if wordings and len(msgspec.json.encode(wordings)) > LOCALIZED_BYTES_MAX:
        raise invalid(pointer, f"at most {LOCALIZED_BYTES_MAX} bytes in all")
    return wordings


def patch_text(provider: Provider, raw: bytes, pointer: str) -> str:
    """A merge patch as compact JSON text.

    Raises:
        ValidationFailedError: no JSON object, too large, or it touches what it must not.
    """
    text = compact_object(raw, pointer)
    if len(text.encode()) > OVERRIDE_BYTES_MAX:
        raise invalid(pointer, f"at most {OVERRIDE_BYTES_MAX} bytes")
    try:
        patch = msgspec.json.decode(text)
    except msgspec.DecodeError:  # a number beyond what any provider can read
        raise invalid(pointer, "number out of range") from None
    touched = protected_member(provider, patch)
    if touched is not None:
        raise invalid(f"{pointer}/{touched.replace('.', '/')}", "cannot be overridden")
    return text
