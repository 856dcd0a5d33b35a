"""The stage of the checks, and with `--statements` the table of what holds."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conformance.report import REPORTS, report_lines
from tests.conformance.stage import Clock, Stage
from tests.front_door import Api, served
from tests.pushy_stage import at_pushy, pushy, pushy_api, pushy_clock, pushy_simulators
from tests.servers import Servers

__all__ = ["at_pushy", "pushy", "pushy_api", "pushy_clock", "pushy_simulators"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--statements", action="store_true", help="list the seed's statements and which hold"
    )


def pytest_configure() -> None:
    pytest.register_assert_rewrite("tests.conformance.answers", "tests.conformance.checks")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.getoption("--statements", default=False):
        for report in REPORTS:
            terminalreporter.section(f"statements of the seed: {report.page.name}")
            for line in report_lines(report, outcomes(terminalreporter)):
                terminalreporter.write_line(line)


def outcomes(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, bool]]:
    """Each test that was run, and whether it passed; errors of set-up are failures."""
    for name in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(name, []):
            yield report.nodeid, name == "passed"


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
async def api(servers: Servers, clock: Clock) -> AsyncIterator[Api]:
    async with served(servers, "conformance", clock) as api:
        yield api


@pytest.fixture
async def stage(api: Api, clock: Clock) -> Stage:
    stage = Stage(api, clock)
    await stage.set_up()
    return stage
