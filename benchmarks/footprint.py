"""What the lab costs a machine, and how that grows: `python -m benchmarks.footprint`.

Cold start and memory of each page come from `pages`, sessions from `thirty`; here the attention lab is opened
with ever longer texts and with ever larger models, each opening by a visitor of its own to a text that
nobody has asked for. There is no peer: the rows are read against each other.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path
from urllib.parse import urlencode

import psutil

from app import catalog
from app.labs.transformer.attention import TEXT_LIMIT
from benchmarks import pages, thirty
from benchmarks.rounds import table
from benchmarks.visitor import Visitor
from labcore import zoo
from tests.browser.serving import serve

MEGA, KIBI = 2**20, 2**10
LENGTHS = (16, 64, 256, 1_024, TEXT_LIMIT)  # characters; the last is the longest that the lab reads
MODELS = ("world-copier", "world-decoder", "smollm2-135m-instruct")  # by size
SESSIONS = (1, 5, 10, 20, 30)
ROUNDS = 5
WORDS = ("Tom", "has", "a", "red", "hat", "and", "Anna", "sees", "the", "old", "dog")


def text_of(length: int, number: int) -> str:
    """So many characters of words, another text for every number."""
    shifted = [WORDS[(place * (number + 1) + number) % len(WORDS)] for place in range(length)]
    return f"{number} {' '.join(shifted)}"[:length]


async def opened(address: str, model: str, length: int, number: int) -> tuple[float, float]:
    """Seconds to the full page, and bytes sent for it, of the attention lab on a text of its own."""
    text = text_of(length, number)
    query = urlencode({"lab": "attention", "lang": "en", "model": model, "text": text})
    visitor = Visitor(address, catalog.LABS["attention"].chapter, query)
    try:
        seconds = await visitor.open()
    finally:
        await visitor.close()
    assert not visitor.wrong, visitor.wrong
    return seconds, visitor.received


async def grown(
    address: str, server: psutil.Process, cases: list[tuple[str, int]]
) -> list[list[str]]:
    """A row for each model and length: time and bytes, and what the server holds more than before."""
    rows = []
    for case, (model, length) in enumerate(cases):
        await opened(address, model, 16, 1_000 + case)  # the model is loaded, once
        before = server.memory_info().rss
        found = [await opened(address, model, length, case * ROUNDS + n) for n in range(ROUNDS)]
        held = (server.memory_info().rss - before) / MEGA / ROUNDS
        seconds, sent = zip(*found, strict=True)
        rows.append(
            [
                model, f"{length:,}", f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}",
                f"{statistics.median(sent) / KIBI:.0f}", f"{held:.1f}",
                f"{server.memory_info().rss / MEGA:.0f}",
            ]
        )  # fmt: skip
    return rows


def growth(cases: list[tuple[str, int]], warm: float) -> str:
    with serve("app/main.py", _log()) as address:
        server = psutil.Process().children()[0]
        socket = address.replace("http", "ws", 1)
        asyncio.run(_warmed(socket, warm))
        rows = asyncio.run(grown(socket, server, cases))
    head = (
        "model", "characters", "seconds to the full page, median", "longest", "KiB sent for it",
        "MB more for each text", "MB of the server",
    )  # fmt: skip
    return table(head, rows)


async def _warmed(address: str, warm: float) -> None:
    await pages.come_home(address)
    await asyncio.sleep(warm)


def by_sessions(counts: tuple[int, ...], seconds: float, warm: float) -> str:
    """The class of `thirty`, of several sizes, each with a server of its own."""
    rows = []
    for count in counts:
        asked = thirty.parser().parse_args(
            [f"--sessions={count}", f"--seconds={seconds}", f"--warm={warm}"]
        )
        with serve("app/main.py", _log()) as address:
            server = psutil.Process().children()[0]
            driven = asyncio.run(thirty.drive(address.replace("http", "ws", 1), server, asked))
        rows.append(
            [
                count, len(driven.seen.turned), thirty.quantiles(driven.seen.turned),
                f"{driven.before[0]:.0f} → {driven.after[0]:.0f}",
                f"{driven.per_session(count):.1f}", f"{driven.after[1]:.0f}", len(driven.seen.wrong),
            ]
        )  # fmt: skip
    head = (
        "sessions", "knobs turned", "knob to answer, median / 90 % / 99 % / longest",
        "MB of the server", "MB per session", "MB of its workers", "errors",
    )  # fmt: skip
    return table(head, rows)


def _log() -> Path:
    return Path(tempfile.gettempdir()) / "llm-lab-footprint.log"


def section(warm: float = 25, seconds: float = 30) -> str:
    models = [model for model in MODELS if zoo.is_at_hand(model)]
    absent = [model for model in MODELS if model not in models]
    texts = [("world-copier", length) for length in LENGTHS]
    parts = [
        "## 6. Cold start, memory, and how they grow",
        "Each page on a server of its own; the attention lab with longer texts and larger models, every text "
        "new to the server; classes of several sizes. The bytes of each knob stand in row 5.",
        pages.table(warm),
        pages.pictures(warm, 5),
        growth(texts + [(model, 256) for model in models], warm),
        *([f"Not at hand here, so not measured: {', '.join(absent)}."] if absent else []),
        by_sessions(SESSIONS, seconds, warm),
        "No aim is set for this row; what is cut is cut on purpose: the lab reads the first tokens of a long "
        "text and says how many it left out, so neither time nor bytes follow the text without end.",
    ]
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warm", type=float, default=25, help="seconds for a server's warm-up")
    parser.add_argument("--seconds", type=float, default=30, help="how long a class stays")
    asked = parser.parse_args()
    print(section(asked.warm, asked.seconds))


if __name__ == "__main__":
    main()
