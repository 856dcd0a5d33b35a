"""Figures that tests measured, shown at the end of the run."""

from dataclasses import dataclass, field


@dataclass
class Figures:
    lines: list[str] = field(default_factory=list)

    def note(self, name: str, value: object) -> None:
        self.lines.append(f"{name}: {value}")
