"""Ids that exist, mixed into generated requests, so that they come further than a 404."""

from random import Random
from typing import Any

from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation

from tests.fuzz.world import World

KNOWN = 0.85  # of the places where something that exists may stand


def mix(case: Case[Any], world: World, dice: Random) -> None:
    """Put what exists into a case; what was made wrong on purpose stays wrong."""
    operation = case.operation.definition.raw["operationId"]
    for location, values in (
        (ParameterLocation.PATH, case.path_parameters),
        (ParameterLocation.QUERY, case.query),
        (ParameterLocation.HEADER, case.headers),
    ):
        if not (case.meta and case.meta.is_negative_at(location)):
            _mix_members(values, operation, world, dice)
    if case.media_type in {"application/json", "application/x-www-form-urlencoded"}:
        is_wrong = case.meta is not None and case.meta.is_negative_at(ParameterLocation.BODY)
        case.body = _mixed(case.body, operation, world, dice, only_texts=is_wrong)


def _mix_members(values: Any, operation: str, world: World, dice: Random) -> None:
    for name in list(values or ()):
        known = world.known(operation, name, dice)
        if known and dice.random() < KNOWN:
            values[name] = dice.choice(known)


def _mixed(value: Any, operation: str, world: World, dice: Random, *, only_texts: bool) -> Any:
    """A copy; with `only_texts` just texts of 36 characters are replaced, which may be ids."""
    match value:
        case dict():
            return {
                name: _member(name, member, operation, world, dice, only_texts=only_texts)
                for name, member in value.items()
            }
        case list():
            return [_mixed(item, operation, world, dice, only_texts=only_texts) for item in value]
        case float() if value.is_integer() and not only_texts:
            return int(value)  # JSON Schema knows no difference, the API does
        case _:
            return value


def _member(
    name: str, value: Any, operation: str, world: World, dice: Random, *, only_texts: bool
) -> Any:
    known = world.known(operation, name, dice)
    may_be = not only_texts or (isinstance(value, str) and len(value) == len(world.app_id))
    if known and may_be and dice.random() < KNOWN:
        return dice.choice(known)
    if name in {"data", "overrides", "localized"}:
        return value
    return _mixed(value, operation, world, dice, only_texts=only_texts)
