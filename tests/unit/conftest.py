"""The unit tier tests what knows torch and math only."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def without_the_host() -> Iterator[None]:
    """Fail the tier if anything it imports needs the host."""
    already_there = "comfy" in sys.modules
    yield
    assert already_there or "comfy" not in sys.modules, "a unit test imported comfy"
