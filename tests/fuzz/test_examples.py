"""The examples of the document, with ids and keys that exist in the places of theirs, are taken."""

from random import Random
from typing import Any

import msgspec
import pytest

from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.media import JOSE, NDJSON
from tests.fuzz.mixing import Dice
from tests.fuzz.operations import OPERATIONS, Operation
from tests.fuzz.stage import Json
from tests.fuzz.world import World

CERTAIN = Dice(Random(0), known=1, right=1)
NO_BODY = ""


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: str(row.operation_id))
def test_an_example_is_taken(fuzzer: Fuzzer, operation: Operation) -> None:
    stage = fuzzer.stage
    world = World(stage, daily_quota=1_000)
    world.build()
    spec = stage.document["paths"][operation.path][operation.method]
    caller = operation.callers[0]
    token = {"authorization": f"Bearer {world.token(caller)}"} if caller else {}
    for media_type in spec.get("requestBody", {"content": [NO_BODY]})["content"]:
        if media_type == JOSE:  # sealed under no key of ours
            continue
        answer = stage.http.request(
            operation.method,
            stage.url + _path(operation, spec, world),
            data=_body(fuzzer, spec, media_type, world),
            headers={"content-type": media_type} | token,
            timeout=10,
        )
        assert answer.ok, answer.text
        assert str(answer.status_code) in spec["responses"]


def _path(operation: Operation, spec: Json, world: World) -> str:
    path = operation.path
    for row in spec.get("parameters", []):
        if row["in"] == "path":
            known = world.known(operation.operation_id, row["name"], CERTAIN.random)
            path = path.replace(f"{{{row['name']}}}", known[0])
    return path


def _body(fuzzer: Fuzzer, spec: Json, media_type: str, world: World) -> Any:
    if media_type == NO_BODY:
        return None
    example = spec["requestBody"]["content"][media_type]["example"]
    if media_type == NDJSON:
        return example
    body = fuzzer.mixer.body(example, spec, media_type, world, CERTAIN)
    return msgspec.json.encode(body) if media_type == "application/json" else body
