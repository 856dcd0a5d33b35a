"""Generated requests to every operation: no 5xx, and no answer that the document does not say.

The same requests come each time: `pytest tests/fuzz -k send_bulk-negative` repeats one row, and
`make fuzz` asks ten times as much.
"""

import os
from collections import Counter
from random import Random
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation, BaseSchema

from tests.fuzz.answers import check
from tests.fuzz.media import register
from tests.fuzz.mixing import mix
from tests.fuzz.operations import OPERATIONS, Operation
from tests.fuzz.stage import Stage
from tests.fuzz.world import World, Worlds

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
DRAWN = 12 * TIMES  # of each operation, right ones and as many wrong ones
REQUESTS_MIN = 2_000
RIGHT = 0.75  # of the callers
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


@pytest.fixture(scope="module")
def schema(stage: Stage) -> BaseSchema:
    register()
    return schemathesis.openapi.from_dict(stage.document, config=CONFIG)


@pytest.fixture(scope="module")
def worlds(stage: Stage) -> Worlds:
    return Worlds(stage)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: str(row.operation_id))
def test_requests_at_every_limit(
    stage: Stage, schema: BaseSchema, worlds: Worlds, operation: Operation
) -> None:
    """Each limit, type, value, method and media type of the document, and just beside."""
    world = worlds.of(operation.operation_id)
    found: APIOperation[Any, Any, Any, Any] = schema[operation.path][operation.method]
    cases = schema.iter_coverage_cases(
        found, generation_modes=list(GenerationMode), generation_config=schema.config.generation
    )
    for number, case in enumerate(cases):
        ask(stage, operation, world, case, Random(number))


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        pytest.param(row, mode, id=f"{row.operation_id}-{mode.value}")
        for row in OPERATIONS
        for mode in GenerationMode
        if row.takes_anything or mode.is_positive
    ],
)
def test_requests_drawn_at_random(
    stage: Stage, schema: BaseSchema, worlds: Worlds, operation: Operation, mode: GenerationMode
) -> None:
    world = worlds.of(operation.operation_id)
    found: APIOperation[Any, Any, Any, Any] = schema[operation.path][operation.method]

    @settings(
        max_examples=DRAWN,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=found.as_strategy(generation_mode=mode), roll=st.integers(0, 2**32 - 1))
    def draw(case: Case[Any], roll: int) -> None:
        ask(stage, operation, world, case, Random(roll))

    draw()


def ask(stage: Stage, operation: Operation, world: World, case: Case[Any], dice: Random) -> None:
    """Send one request as someone who may, or as a stranger, and look at the answer."""
    mix(case, world, dice)
    caller = dice.choice(operation.callers if dice.random() < RIGHT else STRANGERS)
    token = world.token(caller, dice) if caller else None
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = case.call(base_url=stage.url, session=stage.http, headers=headers)
    stage.count(operation.operation_id, answer.status_code)
    check(case, answer, world, token)


def test_enough_was_asked_and_nothing_of_it_failed(stage: Stage) -> None:
    """Comes last: about all of the above."""
    if stage.tried.keys() != {row.operation_id for row in OPERATIONS}:
        pytest.skip("only some operations were asked")
    statuses = sum(stage.tried.values(), Counter())
    assert statuses.total() >= REQUESTS_MIN * TIMES
    assert {name for name, found in stage.tried.items() if not found.keys() & {200, 201}} == set()
    assert not [status for status in statuses if status >= 500]
    assert '"request.failed"' not in stage.system.logs()
