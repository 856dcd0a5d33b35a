"""What the local stack tells the person who started it: one line per step, with the time so far."""

import time

from rich.console import Console
from rich.markup import escape

WAITING_NOTE_SECONDS = 10.0


class Progress:
    """Lines on the terminal, numbered by the seconds since the start."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._started = time.monotonic()
        self._next_note = 0.0

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self._started

    def step(self, name: str, text: str, style: str = "") -> None:
        line = f"{escape(text)}" if not style else f"[{style}]{escape(text)}[/]"
        self.console.print(f"[dim]{self.elapsed_seconds:6.1f} s[/]  [bold]{name:<11}[/] {line}")

    def waiting(self, name: str, waited_seconds: float) -> None:
        """Called often while something starts; says so now and then."""
        if waited_seconds < self._next_note:
            return
        if waited_seconds >= WAITING_NOTE_SECONDS:
            self.step(name, f"still starting, {waited_seconds:.0f} s", "dim")
        self._next_note = max(WAITING_NOTE_SECONDS, waited_seconds + WAITING_NOTE_SECONDS)

    def problem(self, text: str) -> None:
        self.console.print(f"\n[bold red]problem[/]  {escape(text)}\n")
