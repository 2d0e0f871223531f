"""The browser tier: one host and one page for all tests."""

from collections.abc import Iterator

import pytest
from desk import Desk, open_desk


@pytest.fixture(scope="session")
def session_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("browser")) as desk:
        yield desk


@pytest.fixture
def desk(session_desk: Desk) -> Iterator[Desk]:
    """The page, which must not complain while a test uses it."""
    session_desk.errors.clear()
    yield session_desk
    assert not session_desk.errors, "the page complains:\n" + "\n".join(session_desk.errors)
