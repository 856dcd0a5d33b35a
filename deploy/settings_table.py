"""The table of all settings, made from the settings classes: `python -m deploy.settings_table`."""

import typing
from typing import Any

import msgspec

from api.settings import ApiSettings
from shared.settings import PREFIX, CommonSettings
from worker.settings import WorkerSettings

_HEAD = "| setting | read by | default | meaning |\n|---|---|---|---|"


def settings_table() -> str:
    """Markdown, one row per environment variable, in the order of the classes."""
    common = {field.name for field in msgspec.structs.fields(CommonSettings)}
    rows = [_row(field, "both") for field in msgspec.structs.fields(CommonSettings)]
    services: tuple[tuple[type[CommonSettings], str], ...] = (
        (ApiSettings, "api"),
        (WorkerSettings, "worker"),
    )
    for cls, name in services:
        own = [field for field in msgspec.structs.fields(cls) if field.name not in common]
        rows += [_row(field, name) for field in own]
    return "\n".join([_HEAD, *rows])


def _row(field: msgspec.structs.FieldInfo, reader: str) -> str:
    default = "required" if field.required else f"`{_shown(field.default)}`"
    return f"| `{PREFIX}{field.name.upper()}` | {reader} | {default} | {_described(field.type)} |"


def _described(annotation: Any) -> str:
    """The description in the annotation's Meta."""
    metas = [m for m in typing.get_args(annotation)[1:] if isinstance(m, msgspec.Meta)]
    text = next((m.description for m in metas if m.description), "")
    return text.replace("|", "\\|")


def _shown(default: Any) -> str:
    match default:
        case None | () | "":
            return "none"
        case bool():
            return str(default).lower()
        case tuple():
            return ",".join(str(item) for item in default)
        case _:
            return str(default)


if __name__ == "__main__":
    print(settings_table())
