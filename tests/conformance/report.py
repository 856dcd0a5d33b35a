"""Tables of the statements: on the terminal with what holds, in the pages with their tests."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.conformance.pushy.statements import STATEMENTS as PUSHY_STATEMENTS
from tests.conformance.seed import Statement
from tests.conformance.statements.table import STATEMENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITE = "python -m tests.conformance.report"
_BEGIN, _END = "<!-- statements -->\n", "<!-- /statements -->\n"
_MARKS = {True: "✓", False: "✗", None: "-"}


class Report(NamedTuple):
    """A seed's statements, the page that lists them, and the test that checks each."""

    page: Path
    test: str
    statements: Mapping[str, Statement]


PUSH = Report(DOCS / "api.md", "test_push_api.py::test_push_api_keeps", STATEMENTS)
PUSHY = Report(DOCS / "pushy.md", "test_pushy_api.py::test_pushy_api_keeps", PUSHY_STATEMENTS)
REPORTS = (PUSH, PUSHY)
PAGE = PUSH.page


def report_lines(report: Report, outcomes: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """One line for each statement, and how many hold."""
    told = dict(outcomes)
    test = f"tests/conformance/{report.test}"
    found = {name: told.get(f"{test}[{name}]") for name in report.statements}
    width = max(map(len, found))
    for name, holds in found.items():
        yield f"{_MARKS[holds]} {name:{width}}  {on_one_line(report.statements[name])}"
    counts = [list(found.values()).count(outcome) for outcome in _MARKS]
    yield "{} statements: {} hold, {} do not, {} were not checked".format(len(found), *counts)


def on_one_line(statement: Statement) -> str:
    return " ".join(statement.quote.split())


def page_table(report: Report) -> str:
    """The table of a page."""
    rows = [_row(statement) for statement in report.statements.values()]
    return "\n".join(["| statement | in the seed | what is checked |", "|---|---|---|", *rows, ""])


def _row(statement: Statement) -> str:
    words = on_one_line(statement).replace("|", "\\|")
    return f"| `{statement.id}` | `{words}` | {statement.checked} |"


def with_table(page: str, report: Report = PUSH) -> str:
    """The page with the table as it should be."""
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}{page_table(report)}{_END}{after}"


if __name__ == "__main__":
    for each in REPORTS:
        each.page.write_text(with_table(each.page.read_text(), each))
