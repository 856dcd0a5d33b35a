"""Generated requests to every operation: no 5xx, and no answer that the document does not say.

The same requests come each time: `pytest tests/fuzz -k send_bulk-negative` repeats one row.
`make fuzz` asks ten times as much.
"""

import os
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.mixing import Dice
from tests.fuzz.operations import OPERATIONS, Operation
from tests.fuzz.stage import Stage

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
DRAWN = 8 * TIMES  # of each operation, right ones and as many wrong ones
REQUESTS_MIN = 2_000


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: str(row.operation_id))
def test_requests_at_every_limit(fuzzer: Fuzzer, operation: Operation) -> None:
    """Each limit, type, value, method and media type of the document, and just beside."""
    cases = fuzzer.schema.iter_coverage_cases(
        fuzzer.found(operation),
        generation_modes=list(GenerationMode),
        generation_config=fuzzer.schema.config.generation,
    )
    for number, case in enumerate(cases):
        fuzzer.ask(operation, case, Dice(Random(number), known=1, right=1))


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
    fuzzer: Fuzzer, operation: Operation, mode: GenerationMode
) -> None:
    cases = fuzzer.found(operation).as_strategy(generation_mode=mode)

    @settings(
        max_examples=DRAWN,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, roll=st.integers(0, 2**32 - 1))
    def draw(case: Case[Any], roll: int) -> None:
        fuzzer.ask(operation, case, Dice(Random(roll)))

    draw()


def test_enough_was_asked_and_nothing_of_it_failed(fuzzer: Fuzzer, stage: Stage) -> None:
    """Comes last: about all of the above."""
    if stage.tried.keys() != {row.operation_id for row in OPERATIONS}:
        pytest.skip("only some operations were asked")
    statuses = sum(stage.tried.values(), Counter())
    assert statuses.total() >= max(REQUESTS_MIN, 1_000 * TIMES)
    assert {name for name, found in stage.tried.items() if not found.keys() & {200, 201}} == set()
    assert not [status for status in statuses if status >= 500]
    logs = stage.system.logs()
    assert '"request.failed"' not in logs
    assert [secret for secret in fuzzer.secrets() if secret in logs] == []
