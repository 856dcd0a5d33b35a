"""What the Pushy seed says, statement by statement, through the real front door."""

import pytest

from tests.conformance.checks.registry import Check
from tests.conformance.pushy import device_checks, route_checks, send_checks
from tests.conformance.pushy.statements import SECTIONS, STATEMENTS, TEXT
from tests.conformance.seed import parts, unquoted
from tests.pushy_stage import PushyStage

FAMILIES = [route_checks.CHECKS, device_checks.CHECKS, send_checks.CHECKS]
CHECKS: dict[str, Check] = {name: check for family in FAMILIES for name, check in family.items()}


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_pushy_api_keeps(pushy: PushyStage, statement: str) -> None:
    await CHECKS[statement](pushy)


def test_every_statement_has_one_check() -> None:
    checked = [name for family in FAMILIES for name in family]

    assert sorted(checked) == sorted(STATEMENTS)


def test_statements_have_names_of_their_own() -> None:
    names = [row.id for section in SECTIONS for row in section.statements]

    assert len(names) == len(set(names))


def test_statements_are_quotations() -> None:
    found = parts(SECTIONS, TEXT)

    quotes = [(part, quote) for part in found for quote in part.section.quotes()]
    assert [quote for part, quote in quotes if quote not in part.text] == []
    assert "".join(part.text for part in found) == TEXT


def test_every_word_of_the_seed_is_in_a_statement() -> None:
    assert unquoted(SECTIONS, TEXT) == []


def test_what_is_no_statement_has_a_reason() -> None:
    reasons = {text: why for section in SECTIONS for text, why in section.not_statements.items()}

    assert all(reasons.values())
    assert len(reasons) <= 5
