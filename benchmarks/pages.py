"""What each page holds in memory, and how soon a browser shows a picture: `python -m benchmarks.pages`.

Every page gets a server of its own, so that no page pays for another: it warms up, then one visitor after
the other opens each of the page's labs. A browser then comes to a server that has only just been started,
and to the same one when it is warm. Nothing is asserted: the README holds the table of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

from app import catalog
from app.i18n import LANGUAGES
from benchmarks.visitor import Visitor
from tests.browser.conftest import FLAGS
from tests.browser.install_chromium import find
from tests.browser.serving import serve

MEGA = 2**20
LOG = Path(tempfile.gettempdir()) / "llm-lab-pages.log"


async def come_home(address: str) -> None:
    """The first visitor, behind whose back the server warms up."""
    visitor = Visitor(address, "", "lang=en")
    await visitor.open()
    await visitor.close()


async def open_all(address: str, chapter: catalog.ChapterSpec) -> list[float]:
    """Each lab of the page, once; seconds until its first full run."""
    seconds = []
    for number, lab in enumerate(chapter.labs):
        language = LANGUAGES[number % len(LANGUAGES)]
        visitor = Visitor(address, chapter.id, f"lab={lab.id}&lang={language}")
        seconds.append(await visitor.open())
        await visitor.close()
        if visitor.wrong:
            raise RuntimeError(f"{lab.id}: {visitor.wrong}")
    return seconds


def held(chapter: catalog.ChapterSpec, warm: float) -> str:
    """A row of the table: the server's memory before and after all labs, and the labs' times."""
    with serve("app/main.py", LOG) as address:
        server = psutil.Process().children()[0]
        socket = address.replace("http", "ws", 1)
        asyncio.run(come_home(socket))
        time.sleep(warm)
        before = server.memory_info().rss / MEGA
        seconds = asyncio.run(open_all(socket, chapter))
        after = server.memory_info().rss / MEGA
    return (
        f"| {chapter.number} · {chapter.id} | {len(chapter.labs)} | {before:.0f} | {after:.0f} "
        f"| {statistics.median(seconds):.2f} | {max(seconds):.2f} |"
    )


def pictures_of(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds from asking for the attention lab to its drawn heads: as a new visitor, and on coming back."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    seconds = []
    for _ in ("new", "back"):
        begun = time.perf_counter()
        page.goto(f"{address}/transformer?lang=en&lab=attention")
        page.locator("canvas").first.wait_for(timeout=120_000)
        seconds.append(time.perf_counter() - begun)
    context.close()
    return tuple(seconds)


def pictures(warm: float, rounds: int) -> str:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        begun = time.perf_counter()
        with serve("app/main.py", LOG) as address:
            started = time.perf_counter() - begun
            cold = started + pictures_of(browser, address)[0]
            time.sleep(warm)
            new, back = zip(*(pictures_of(browser, address) for _ in range(rounds)), strict=True)
        browser.close()
    return (
        f"From starting the server to the first visitor's picture: {cold:.1f} s. On the warm server, "
        f"median and longest of {rounds}: a new browser {statistics.median(new):.1f} and "
        f"{max(new):.1f} s, the same one coming back {statistics.median(back):.1f} and {max(back):.1f} s."
    )


def table(warm: float) -> str:
    head = "| page | labs | MB, warm | MB, all its labs opened | seconds to open a lab, median | longest |"
    rows = [held(chapter, warm) for chapter in catalog.CHAPTERS]
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warm", type=float, default=25, help="seconds for a server's warm-up")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    print(table(asked.warm))
    print(pictures(asked.warm, asked.rounds))


if __name__ == "__main__":
    main()
