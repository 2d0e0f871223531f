"""The browser tier: all tests with the host's own page, then those of the templates with a newer one, too; one host and
one page each."""

from collections.abc import Iterator

import pytest
from desk import SCREEN, Desk, open_desk


@pytest.fixture(scope="session", params=["own page", "newer page"])
def session_desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("browser"), request.param == "newer page") as desk:
        yield desk


@pytest.fixture
def desk(session_desk: Desk) -> Iterator[Desk]:
    """The page, which must not complain while a test uses it."""
    session_desk.errors.clear()
    session_desk.page.set_viewport_size(SCREEN)
    # the page's own cover while it is busy, which it fails to take away when two of them end at once
    session_desk.page.evaluate(
        "() => document.querySelectorAll('.p-overlay-mask-leave').forEach(mask => mask.remove())"
    )
    yield session_desk
    assert not session_desk.errors, "the page complains:\n" + "\n".join(session_desk.errors)
