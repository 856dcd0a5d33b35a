"""Tables of the statements: on the terminal with what holds, in docs/api.md with their tests."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conformance.seed import Statement
from tests.conformance.statements.table import STATEMENTS

PAGE = Path(__file__).resolve().parents[2] / "docs/api.md"
TEST = "tests/conformance/test_push_api.py::test_push_api_keeps"
WRITE = "python -m tests.conformance.report"
_BEGIN, _END = "<!-- statements -->\n", "<!-- /statements -->\n"
_MARKS = {True: "✓", False: "✗", None: "-"}


def report_lines(outcomes: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """One line for each statement, and how many hold."""
    told = dict(outcomes)
    found = {row.id: told.get(f"{TEST}[{row.id}]") for row in STATEMENTS.values()}
    width = max(map(len, found))
    for name, holds in found.items():
        yield f"{_MARKS[holds]} {name:{width}}  {on_one_line(STATEMENTS[name])}"
    counts = [list(found.values()).count(outcome) for outcome in _MARKS]
    yield "{} statements: {} hold, {} do not, {} were not checked".format(len(found), *counts)


def on_one_line(statement: Statement) -> str:
    return " ".join(statement.quote.split())


def page_table() -> str:
    """The table of docs/api.md."""
    rows = [_row(statement) for statement in STATEMENTS.values()]
    return "\n".join(["| statement | in the seed | what is checked |", "|---|---|---|", *rows, ""])


def _row(statement: Statement) -> str:
    words = on_one_line(statement).replace("|", "\\|")
    return f"| `{statement.id}` | `{words}` | {statement.checked} |"


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}{page_table()}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
