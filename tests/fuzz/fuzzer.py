"""Asks generated requests, as someone who may or as a stranger, and looks at every answer."""

from functools import cached_property
from typing import Any

import schemathesis
from schemathesis import Case
from schemathesis.schemas import APIOperation, BaseSchema

from tests.fuzz.answers import check
from tests.fuzz.media import register
from tests.fuzz.mixing import Dice, Mixer
from tests.fuzz.operations import Operation
from tests.fuzz.stage import Stage
from tests.fuzz.world import World

REFUSALS = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"]
CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"with-security-parameters": False},
        "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
    }
)
STRANGERS = (
    None,
    "garbage",
    "expired",
    "service without scope",
    "user",
    "service",
    "tenant admin",
    "other app's admin",
    "user of two apps",
)
QUOTAS = {"send_bulk": 100}  # soon spent


class Fuzzer:
    """One world for each operation: what one destroys, no other misses."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.mixer = Mixer(stage.document)
        self._worlds: dict[str, World] = {}

    @cached_property
    def schema(self) -> BaseSchema:
        register()
        return schemathesis.openapi.from_dict(self.stage.document, config=CONFIG)

    def found(self, operation: Operation) -> APIOperation[Any, Any, Any, Any]:
        """The operation as schemathesis knows it."""
        found: APIOperation[Any, Any, Any, Any] = self.schema[operation.path][operation.method]
        return found

    def world(self, operation: Operation) -> World:
        name = operation.operation_id
        if name not in self._worlds:
            self._worlds[name] = World(self.stage, daily_quota=QUOTAS.get(name, 1_000_000))
            self._worlds[name].build()
        return self._worlds[name]

    def secrets(self) -> set[str]:
        """Of all worlds, and every token that was used in them."""
        worlds = self._worlds.values()
        return {s for world in worlds for s in (*world.secrets, *world.tokens.values())}

    def ask(self, operation: Operation, case: Case[Any], dice: Dice) -> None:
        """Raises for an answer that the document does not promise."""
        world = self.world(operation)
        self.mixer.mix(case, world, dice)
        callers = operation.callers if dice.takes_right_caller() else STRANGERS
        caller = dice.random.choice(callers)
        token = world.token(caller, dice.random) if caller else None
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            answer = case.call(base_url=self.stage.url, session=self.stage.http, headers=headers)
            self.stage.count(operation.operation_id, answer.status_code)
            check(case, answer, world, token)
        except Exception as error:
            error.add_note(
                f"asked by {caller}; again: pytest tests/fuzz -k {operation.operation_id}"
            )
            raise
