"""Two hours of random use: `python -m benchmarks.soak` starts a server and prints what it holds on to.

Every session opens some lab in some language, turns knobs, writes texts, presses buttons (background runs
among them, left behind or not) and leaves for another one. Before the first look every lab has been
opened once, so that what the server keeps on purpose is there already. Memory, threads, open files and
child processes should then stay where they are. One thing grows on purpose until it is full: the results
that learners share (`app/results.py`), so `kept` tells how large it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app import catalog
from app.i18n import LANGUAGES
from benchmarks.rounds import table
from benchmarks.thirty import memory
from benchmarks.visitor import Visitor
from tests.browser.serving import serve

WORDS = (
    "cat",
    "猫",
    "sat on",
    "垫子",
    "和",
    "saw 2",
    "small",
    "dogs",
    "🙂",
    "<b>home</b>",
    "下雨",
    "now",
)
VISIT = (4, 10)  # fewest and most things done in one visit
PRESSED = 0.1  # of all things done are buttons, and as many are texts


@dataclass
class Done:
    """What all sessions have done so far."""

    visits: int = 0
    turned: int = 0
    typed: int = 0
    pressed: int = 0
    wrong: list[str] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)  # labs


@dataclass(frozen=True, slots=True)
class Held:
    """What the server holds at one moment."""

    minutes: float
    memory: float  # MB, resident
    threads: int
    files: int  # open files and sockets
    children: int  # processes: the workers of background runs, and what labs start
    children_memory: float  # MB
    kept: dict[str, float]  # what the server says of itself; see `kept`


def look(server: psutil.Process, kept: Path, began: float) -> Held:
    own, below = memory(server)
    return Held(
        (time.monotonic() - began) / 60, own, server.num_threads(), server.num_fds(),
        len(server.children(recursive=True)), below, json.loads(kept.read_text(encoding="utf-8")),
    )  # fmt: skip


async def session(
    address: str, chance: random.Random, think: float, end: float, done: Done
) -> None:
    """One learner's visits, one after the other."""
    while time.monotonic() < end:
        lab = chance.choice(list(catalog.LABS))
        done.opened.add(lab)
        await visit(address, lab, chance, think, done)


async def visit(address: str, lab: str, chance: random.Random, think: float, done: Done) -> None:
    language = chance.choice(LANGUAGES)
    visitor = Visitor(address, catalog.LABS[lab].chapter, f"lab={lab}&lang={language}")
    done.visits += 1
    doing = "open"
    try:
        await visitor.open()
        for _ in range(chance.randint(*VISIT)):
            await asyncio.sleep(chance.uniform(0.5, 1.5) * think)
            doing, act = something(visitor, chance, done)
            await act
    except Exception as error:
        visitor.wrong.append(f"{type(error).__name__} {error}")
    finally:
        for wrong in visitor.wrong:
            done.wrong.append(f"{lab} ({language}), last to {doing}: {wrong}")
            print(done.wrong[-1], file=sys.stderr, flush=True)
        await visitor.close()


def something(visitor: Visitor, chance: random.Random, done: Done) -> tuple[str, Awaitable]:
    """What to do next: its name, and the doing."""
    kind = chance.random()
    if kind < PRESSED and visitor.buttons:
        done.pressed += 1
        id = chance.choice(sorted(visitor.buttons))
        return f"press {id}", visitor.press_id(id)
    if kind < 2 * PRESSED and visitor.texts:
        done.typed += 1
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 12)))
        id = chance.choice(sorted(visitor.texts))
        return f"type into {id}", visitor.type(id, text)
    if visitor.sliders:
        done.turned += 1
        id = chance.choice(sorted(visitor.sliders))
        return f"turn {id}", visitor.turn(id, chance.random())
    return "wait", asyncio.sleep(0)


async def fill(address: str, done: Done) -> None:
    """Every lab once, so that what is loaded once is loaded."""
    for lab in catalog.LABS.values():
        visitor = Visitor(address, lab.chapter, f"lab={lab.id}&lang=en")
        await visitor.open()
        await visitor.close()
        done.wrong += visitor.wrong


async def soak(
    address: str, server: psutil.Process, kept: Path, asked: argparse.Namespace
) -> list[Held]:
    done = Done()
    await fill(address, done)
    began = time.monotonic()
    end = began + asked.minutes * 60
    sessions = [
        asyncio.create_task(
            session(address, random.Random(f"{asked.seed}.{n}"), asked.think, end, done)
        )
        for n in range(asked.sessions)
    ]
    seen = []
    for number in range(asked.looks):
        due = (
            began
            + asked.settle * 60
            + number / (asked.looks - 1) * (end - began - asked.settle * 60)
        )
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        seen.append(look(server, kept, began))
        print(
            seen[-1], done.visits, "visits", len(done.wrong), "wrong", file=sys.stderr, flush=True
        )
    await asyncio.gather(*sessions)
    print(report(asked, done, seen), flush=True)
    for line in sorted(set(done.wrong)):
        print("wrong:", line, file=sys.stderr)
    return seen


def report(asked: argparse.Namespace, done: Done, seen: list[Held]) -> str:
    names = {0: "start", len(seen) // 2: "middle", len(seen) - 1: "end"}
    rows = [
        (
            names.get(n, ""), f"{h.minutes:.0f}", f"{h.memory:.0f}",
            *(f"{h.kept[name]:.0f}" for name in ("results", "used", "freed")),
            h.threads, h.files, h.children, f"{h.children_memory:.0f}",
        )
        for n, h in enumerate(seen)
    ]  # fmt: skip
    head = (
        "", "minute", "server, MB", "of it results kept", "heap in use", "heap free", "threads",
        "open files", "processes below it", "their MB",
    )  # fmt: skip
    return (
        f"{asked.sessions} sessions, {asked.minutes:.0f} minutes, seed {asked.seed}: {done.visits} visits to "
        f"{len(done.opened)} labs, {done.turned} knobs, {done.typed} texts, {done.pressed} buttons, "
        f"{len(done.wrong)} errors.\n\n{table(head, rows)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--settle", type=float, default=5, help="minutes before the first look")
    parser.add_argument("--looks", type=int, default=13, help="how often to look, ends included")
    parser.add_argument("--think", type=float, default=3, help="seconds between two things done")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="llm-lab-soak-"))
    log, kept = folder / "server.log", folder / "kept.json"
    os.environ["LLM_LAB_KEPT"] = str(kept)
    with serve("benchmarks/kept.py", log) as address:
        server = psutil.Process().children()[0]
        asyncio.run(soak(address.replace("http", "ws", 1), server, kept, asked))
    print(f"the server's own log: {log}", file=sys.stderr)


if __name__ == "__main__":
    main()
