"""Checks of statements: one function each, or one for a family of them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

Check = Callable[[Any], Awaitable[None]]  # of the stage that it plays on
Function = TypeVar("Function", bound=Callable[..., Awaitable[None]])


class Checks(dict[str, Check]):
    """By the ids of their statements."""

    def of(self, statement: str) -> Callable[[Function], Function]:
        """Marks the check of a statement."""
        return self.of_each({statement: ()})

    def of_each(self, statements: Mapping[str, tuple[Any, ...]]) -> Callable[[Function], Function]:
        """Marks the check of several statements, with what it is given for each."""

        def mark(function: Function) -> Function:
            for statement, arguments in statements.items():
                if statement in self:
                    raise ValueError(f"{statement} is checked twice")
                self[statement] = _bound(function, arguments)
            return function

        return mark


def _bound(function: Callable[..., Awaitable[None]], arguments: tuple[Any, ...]) -> Check:
    async def check(stage: Any) -> None:
        await function(stage, *arguments)

    return check
