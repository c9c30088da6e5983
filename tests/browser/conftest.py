"""A real server and a real Chromium for the browser tests."""

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.install_chromium import find
from tests.browser.serving import Visitors, serve

FLAGS = [
    "--no-sandbox",  # a container's root may not use Chromium's own
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a fresh server of the lab."""
    with serve("app/main.py", tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, server):
    """`visit("/transformer?lang=zh", width=390)`: the page as a new visitor sees it."""
    visitors = Visitors(chromium, server)
    yield lambda path, **screen: visitors.open(path, "h1", **screen)
    visitors.close()
