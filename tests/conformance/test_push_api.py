"""What the seed says, statement by statement, through the real front door."""

import pytest

from tests.conformance.checks import (
    bulks,
    callers,
    config,
    devices,
    errors,
    limits,
    registrations,
    sends,
    webhook_secrets,
)
from tests.conformance.checks.registry import Check
from tests.conformance.seed import TEXT, parts, unquoted
from tests.conformance.stage import Stage
from tests.conformance.statements.table import SECTIONS, STATEMENTS

FAMILIES = [
    callers.CHECKS,
    config.CHECKS,
    webhook_secrets.CHECKS,
    devices.CHECKS,
    registrations.CHECKS,
    sends.CHECKS,
    bulks.CHECKS,
    limits.CHECKS,
    errors.CHECKS,
]
CHECKS: dict[str, Check] = {name: check for family in FAMILIES for name, check in family.items()}


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_push_api_keeps(stage: Stage, statement: str) -> None:
    await CHECKS[statement](stage)


def test_every_statement_has_one_check() -> None:
    checked = [name for family in FAMILIES for name in family]

    assert sorted(checked) == sorted(STATEMENTS)


def test_statements_have_names_of_their_own() -> None:
    names = [row.id for section in SECTIONS for row in section.statements]

    assert len(names) == len(set(names))


def test_statements_are_quotations() -> None:
    quotes = [(part, quote) for part in parts(SECTIONS) for quote in part.section.quotes()]

    assert [quote for part, quote in quotes if quote not in part.text] == []
    assert parts(SECTIONS)[0].start == 0
    assert "".join(part.text for part in parts(SECTIONS)) == TEXT


def test_every_word_of_the_seed_is_in_a_statement() -> None:
    assert unquoted(SECTIONS) == []


def test_what_is_no_statement_has_a_reason() -> None:
    reasons = {text: why for section in SECTIONS for text, why in section.not_statements.items()}

    assert all(reasons.values())
    assert len(reasons) <= 5
