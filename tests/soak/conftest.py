"""The contract tests' simulators, in a process of the soak's own."""

from tests.contract.conftest import certificates, simulators

__all__ = ["certificates", "simulators"]
