"""One MLflow server and one Chromium for all browser tests; screenshots are kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docs import pictures

SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Exclude all tests of this folder from `make test-fast`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package", autouse=True)
def _chromium() -> Iterator[None]:
    """Each `browser_page` of these tests is a page of this browser with separate storage."""
    if shutil.which("chromium") is None:  # the tests are skipped; each file says why
        yield
        return
    with pictures.chromium():
        yield


@pytest.fixture(scope="package")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server for the session's store; it also receives artifacts over HTTP."""
    with pictures.served(store, artifacts=tmp_path_factory.mktemp("artifacts")) as address:
        yield address


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Any], None]:
    """A function that saves a screenshot of a page in build/screenshots, named after the test."""

    def screenshot(page: Any) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        name = "".join(each if each.isalnum() else "_" for each in request.node.name)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return screenshot
