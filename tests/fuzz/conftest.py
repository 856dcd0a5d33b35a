"""One API process and the simulators for all generated requests; no worker, so nothing is sent."""

from collections.abc import Iterator

import pytest

from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.stage import Stage
from tests.servers import Servers


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("fuzz"), servers)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()


@pytest.fixture(scope="session")
def fuzzer(stage: Stage) -> Fuzzer:
    return Fuzzer(stage)
