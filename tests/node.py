"""Node, for tests that run programs of its language."""

import os
import shutil

import pytest


def node() -> str:
    """Its path: `make setup` installs it where it can."""
    found = shutil.which("node")
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("there is no node, and setup cannot install it here (see its note)")
    pytest.fail("there is no node: run `make setup`, which installs it")
