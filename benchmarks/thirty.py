"""Thirty learners at once: `python -m benchmarks.thirty` starts a server, drives sessions, prints the table.

Every session opens a lab and turns one of its knobs every few seconds; a part of them also starts a default
run in the background, the same one as others do. Nothing is asserted: the table is for reading, and the
README holds the one of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import psutil

from app import catalog
from app.i18n import LANGUAGES
from benchmarks.visitor import Visitor
from tests.browser.serving import serve

# Labs whose first part answers at once, and labs whose default run goes to the background.
LIGHT = ("dataflow", "by_hand", "attention", "positions", "budget", "planner", "quantisation",
         "flash", "kv_cache", "production")  # fmt: skip
HEAVY = {"training": "training.run", "masked": "masked.run", "rlhf": "rlhf.run"}
EVERY = 5  # one session in so many starts a background run
MEGA = 2**20


@dataclass
class Seen:
    """What the sessions met."""

    opened: list[float] = field(default_factory=list)  # seconds to the first full run
    turned: list[float] = field(default_factory=list)  # seconds from a knob to its answer
    pressed: int = 0
    wrong: list[str] = field(default_factory=list)


async def learner(
    number: int, lab: str, address: str, asked: argparse.Namespace, seen: Seen
) -> None:
    """One session from its arrival to its end."""
    chance = random.Random(asked.seed * 1_000 + number)
    language = LANGUAGES[number % len(LANGUAGES)]
    visitor = Visitor(address, catalog.LABS[lab].chapter, f"lab={lab}&lang={language}")
    await asyncio.sleep(chance.uniform(0, asked.arrival))
    try:
        seen.opened.append(await visitor.open())
        if lab in HEAVY and await visitor.press(HEAVY[lab]) is not None:
            seen.pressed += 1
        end = asyncio.get_running_loop().time() + asked.seconds
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * asked.think)
            if visitor.sliders:
                seen.turned.append(await turn_any(visitor, chance))
    except Exception as error:
        seen.wrong.append(f"{lab}: {type(error).__name__} {error}")
    finally:
        seen.wrong += visitor.wrong


async def turn_any(visitor: Visitor, chance: random.Random) -> float:
    """Some slider to some value of its scale."""
    return await visitor.turn(chance.choice(sorted(visitor.sliders)), chance.random())


def memory(server: psutil.Process) -> tuple[float, float]:
    """MB of the server itself, and of the workers that it started."""
    workers = 0
    for child in server.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # ended since it was listed
            workers += child.memory_info().rss
    return server.memory_info().rss / MEGA, workers / MEGA


@dataclass(frozen=True, slots=True)
class Drive:
    """A class of sessions, from the first visitor of a cold server to the last knob."""

    cold: float  # seconds
    seen: Seen
    before: tuple[float, float]  # MB of the server and of its workers
    after: tuple[float, float]

    def per_session(self, sessions: int) -> float:
        """MB."""
        return (self.after[0] - self.before[0]) / max(sessions, 1)


async def drive(address: str, server: psutil.Process, asked: argparse.Namespace) -> Drive:
    first = Visitor(address, "transformer", "lab=dataflow&lang=en")
    cold = await first.open()  # the warm-up happens behind this visitor's back
    await asyncio.sleep(asked.warm)
    before = memory(server)
    seen = Seen()
    light, heavy = cycle(LIGHT), cycle(HEAVY)
    labs = [next(heavy if n % EVERY == EVERY - 1 else light) for n in range(asked.sessions)]
    await asyncio.gather(
        *(learner(n, lab, address, asked, seen) for n, lab in enumerate(labs))
    )  # fmt: skip
    return Drive(cold, seen, before, memory(server))


def table(asked: argparse.Namespace, drive: Drive) -> str:
    """The result as the README shows it."""
    cold, seen, before, after = drive.cold, drive.seen, drive.before, drive.after
    rows = {
        "sessions, seconds, a knob every": f"{asked.sessions}, {asked.seconds}, {asked.think} s",
        "knobs turned": len(seen.turned),
        "knob to answer, median / 90 % / 99 % / longest": quantiles(seen.turned),
        "new visitor to full page, median / 90 % / 99 % / longest": quantiles(seen.opened),
        "first visitor of a cold server": f"{cold:.1f} s",
        "background runs asked for": seen.pressed,
        "errors": len(seen.wrong),
        "server before / with all sessions": f"{before[0]:.0f} / {after[0]:.0f} MB",
        "per session": f"{drive.per_session(asked.sessions):.1f} MB",
        "workers of background runs": f"{after[1]:.0f} MB",
    }
    return "\n".join(
        ["| measured | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())]
    )


def quantiles(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "–"
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return " / ".join(f"{s:.2f}" for s in (cuts[49], cuts[89], cuts[98], max(seconds))) + " s"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60, help="how long each session stays")
    parser.add_argument(
        "--think", type=float, default=3, help="seconds between two knobs, on average"
    )
    parser.add_argument(
        "--arrival", type=float, default=10, help="within how many seconds all arrive"
    )
    parser.add_argument("--warm", type=float, default=25, help="seconds for the server's warm-up")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> None:
    asked = parser().parse_args()
    log = Path(tempfile.gettempdir()) / "llm-lab-thirty.log"
    with serve("app/main.py", log) as address:
        server = psutil.Process().children()[0]
        driven = asyncio.run(drive(address.replace("http", "ws", 1), server, asked))
    print(table(asked, driven))
    for line in sorted(set(driven.seen.wrong)):
        print("wrong:", line, file=sys.stderr)
    print(f"the server's own log: {log}", file=sys.stderr)


if __name__ == "__main__":
    main()
