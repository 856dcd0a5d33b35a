"""The demo on the terminal: what happened when, and which claims held."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

MILLISECONDS = 1000
INDENT = 13


class Timeline:
    """Chapters of events with the milliseconds since the chapter's start; remembers what failed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self.held = 0
        self.failed: list[str] = []

    def chapter(self, title: str) -> None:
        self._console.print(f"\n[bold cyan]── {escape(title)}[/]")
        self._started = time.monotonic()

    def event(self, who: str, text: str) -> None:
        elapsed = (time.monotonic() - self._started) * MILLISECONDS
        self._console.print(f"[dim]{elapsed:8.0f} ms[/]  [bold]{escape(who):<10}[/] {escape(text)}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for style, row in (("dim", columns), *(("", row) for row in rows)):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            line = " " * INDENT + "  ".join(cells).rstrip()
            self._console.print(line, style=style, markup=False)

    def check(self, claim: str, is_true: bool) -> None:
        """Shows the claim as held or failed."""
        mark = "[green]✔[/]" if is_true else "[bold red]✘[/]"
        self._console.print(f"{' ' * INDENT}{mark} {escape(claim)}")
        if is_true:
            self.held += 1
        else:
            self.failed.append(claim)

    def conclude(self, elapsed_seconds: float) -> None:
        """The last words: all held, or which claims failed."""
        all_claims = self.held + len(self.failed)
        if not self.failed:
            self._console.print(
                f"\n[bold green]All {all_claims} claims hold[/] after {elapsed_seconds:.1f} s."
            )
            return
        self._console.print(f"\n[bold red]{len(self.failed)} of {all_claims} claims failed:[/]")
        for claim in self.failed:
            self._console.print(f"  ✘ {escape(claim)}")
