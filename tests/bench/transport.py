"""`make bench-transport`: what a push costs, ours beside what a team would take instead.

Every contender runs in a process of its own against the same nginx, in turns, several rounds; a
row is the median of its rounds. Ratios are worth more than figures: the machine is shared.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.measure import Measured
from tests.bench.static_server import NginxMissing, StaticServer, static_server

ROUNDS = 3
PUSHES = 6_000
CONCURRENCY = 100
CONTENDER_SECONDS_MAX = 300
LIBRARIES = ("aioapns", "cryptography", "h2", "httpx", "pycurl", "pywebpush", "uvloop")


class Plan(msgspec.Struct, frozen=True):
    """One contender: how many pushes a round, and which other it is compared with.

    `least`: how many times cheaper it must be for the goal, None for no goal.
    """

    name: str
    pushes: int
    compared_with: str | None = None
    least: float | None = None


PLANS = (
    Plan("apns: aioapns", PUSHES),
    Plan("apns: fanfare", PUSHES, "apns: aioapns", 2.5),
    Plan("fcm: httpx", PUSHES // 4),
    Plan("fcm: fanfare", PUSHES, "fcm: httpx", 5.0),
    Plan("web push, encrypt and sign: pywebpush", PUSHES),
    Plan(
        "web push, encrypt and sign: fanfare",
        PUSHES,
        "web push, encrypt and sign: pywebpush",
        1 / 0.6,
    ),
    Plan("web push, whole: pywebpush", PUSHES // 4),
    Plan("web push, whole: fanfare", PUSHES, "web push, whole: pywebpush", 2.0),
    Plan("transport alone: fanfare", PUSHES),
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds; `cheaper` is the median of the ratios round by round."""

    name: str
    cpu_us: float
    pushes_per_second: float
    p50_ms: float
    p99_ms: float
    compared_with: str | None = None
    cheaper: float | None = None
    goal: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is written as JSON: the rows, and all that was measured."""

    command: str
    machine: str
    python: str
    libraries: dict[str, str]
    rounds: int
    concurrency: int
    rows: list[Row]
    raw: list[Measured]


def run(rounds: int, scale: float, console: Console) -> Report:
    """Raises NginxMissing; CalledProcessError when a contender fails."""
    measured: defaultdict[str, list[Measured]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, static_server(Path(folder)) as server:
        for number in range(rounds):
            for plan in PLANS:
                with console.status(f"round {number + 1} of {rounds}: {plan.name}"):
                    measured[plan.name].append(_measure(plan, server, scale))
    return Report(
        command="make bench-transport",
        machine=f"{platform.machine()}, {_cpu_model()}, {platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries={name: version(name) for name in LIBRARIES},
        rounds=rounds,
        concurrency=CONCURRENCY,
        rows=[_row(plan, measured) for plan in PLANS],
        raw=[one for plan in PLANS for one in measured[plan.name]],
    )


def _measure(plan: Plan, server: StaticServer, scale: float) -> Measured:
    command = [
        *(sys.executable, "-m", "tests.bench.measure", plan.name),
        *("--url", server.url, "--ca-file", server.ca_file),
        *("--pushes", str(max(CONCURRENCY, int(plan.pushes * scale)))),
        *("--concurrency", str(CONCURRENCY)),
    ]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, timeout=CONTENDER_SECONDS_MAX
    )
    return msgspec.json.decode(done.stdout, type=Measured)


def _row(plan: Plan, measured: dict[str, list[Measured]]) -> Row:
    mine = measured[plan.name]
    others = measured[plan.compared_with] if plan.compared_with else []
    ratios = [other.cpu_us / one.cpu_us for one, other in zip(mine, others, strict=False)]
    return Row(
        name=plan.name,
        cpu_us=statistics.median(one.cpu_us for one in mine),
        pushes_per_second=statistics.median(one.pushes_per_second for one in mine),
        p50_ms=statistics.median(one.p50_ms for one in mine),
        p99_ms=statistics.median(one.p99_ms for one in mine),
        compared_with=plan.compared_with,
        cheaper=statistics.median(ratios) if ratios else None,
        goal=plan.least,
    )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "unknown processor")


def show(report: Report, console: Console) -> None:
    """The table for a person."""
    table = Table(title=f"medians of {report.rounds} rounds, {report.concurrency} pushes at a time")
    for heading in ("", "CPU us/push", "pushes/s", "p50 ms", "p99 ms", "times cheaper", "goal"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for row in report.rows:
        table.add_row(
            row.name,
            f"{row.cpu_us:.0f}",
            f"{row.pushes_per_second:,.0f}",
            f"{row.p50_ms:.1f}",
            f"{row.p99_ms:.1f}",
            "" if row.cheaper is None else f"{row.cheaper:.2f}",
            "" if row.goal is None else f"{row.goal:.2f}",
        )
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.transport", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each runs")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual pushes")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    console = Console(width=110)
    try:
        report = run(given.rounds, given.scale, console)
    except NginxMissing as missing:
        console.print(missing)
        return 1
    show(report, console)
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        console.print(f"written to {given.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
